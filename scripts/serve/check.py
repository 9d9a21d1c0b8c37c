"""Talks to a running server by NVIDIA's client: `check.py HOST:PORT FILE`.

FILE holds the requests and what must come of them, as check-serve.ts wrote it. A JSON line for each check tells its name and
the largest difference, or what went wrong.
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http.aio as triton
from tritonclient.utils import InferenceServerException

MODEL = "lstm"


def tensor(values):
    return np.array(values["data"], dtype=np.float32).reshape(values["shape"])


def distance(got, expected):
    if got.shape != expected.shape:
        raise ValueError(f"expected shape {expected.shape}, got {got.shape}")
    return float(np.abs(got - expected).max())


def inputs_of(x, binary):
    infer_input = triton.InferInput("x", list(x.shape), "FP32")
    infer_input.set_data_from_numpy(x, binary_data=binary)
    return [infer_input]


async def check_metadata(client, expected):
    if not (await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(MODEL)):
        raise ValueError("expected the server and the model to be ready")
    extensions = (await client.get_server_metadata())["extensions"]
    if not {"binary_tensor_data", "sequence"} <= set(extensions):
        raise ValueError(f"expected the extensions for binary data and sequences, got {extensions}")
    metadata = await client.get_model_metadata(MODEL)
    shapes = {each["name"]: each["shape"] for each in metadata["inputs"] + metadata["outputs"]}
    if shapes["x"] != [-1, -1, expected["inputSize"]] or shapes["y"] != [-1, -1, expected["outputSize"]]:
        raise ValueError(f"expected x and y with the sizes of the model, got {shapes}")
    return 0.0


def check_inference(binary_input, binary_output):
    async def check(client, expected):
        outputs = [triton.InferRequestedOutput("y", binary_data=binary_output)]
        x, y = tensor(expected["x"]), tensor(expected["y"])
        result = await client.infer(MODEL, inputs_of(x, binary_input), outputs=outputs, request_id="7")
        if result.get_response()["id"] != "7":
            raise ValueError(f"expected the request's id, got {result.get_response()}")
        return distance(result.as_numpy("y"), y)

    return check


def check_sequence(sequence_id):
    async def check(client, expected):
        x, y = tensor(expected["x"])[:1], tensor(expected["y"])[:1]
        steps = x.shape[1]
        worst = 0.0
        for t in range(steps):
            result = await client.infer(
                MODEL,
                inputs_of(x[:, t : t + 1], True),
                sequence_id=sequence_id,
                sequence_start=t == 0,
                sequence_end=t == steps - 1,
            )
            worst = max(worst, distance(result.as_numpy("y"), y[:, t : t + 1]))
        return worst

    return check


async def check_compression(client, expected):
    x, y = tensor(expected["x"]), tensor(expected["y"])
    result = await client.infer(MODEL, inputs_of(x, True), response_compression_algorithm="gzip")
    return distance(result.as_numpy("y"), y)


async def check_refusal(client, expected):
    x = tensor(expected["x"])
    try:
        await client.infer(MODEL, inputs_of(np.ascontiguousarray(x[:, :, 1:]), True))
    except InferenceServerException as error:
        if str(error.status()) != "400" or "expected shape" not in error.message():
            raise ValueError(f"expected status 400 and what shape was expected, got {error}") from error
        return 0.0
    raise ValueError("expected a refusal of an input with too few features")


CHECKS = {
    "health and metadata": check_metadata,
    "JSON in, JSON out": check_inference(False, False),
    "JSON in, binary out": check_inference(False, True),
    "binary in, JSON out": check_inference(True, False),
    "binary in, binary out": check_inference(True, True),
    "a sequence with a number for its id": check_sequence(2**63 + 1),
    "a sequence with a string for its id": check_sequence("room 42"),
    "an answer that may be compressed": check_compression,
    "a wrong shape is refused": check_refusal,
}


async def main(url, path):
    with open(path, encoding="utf-8") as file:
        expected = json.load(file)
    async with triton.InferenceServerClient(url) as client:
        for name, check in CHECKS.items():
            try:
                print(json.dumps({"name": name, "error": await check(client, expected)}), flush=True)
            except Exception as error:  # pylint: disable=broad-except; whatever it is, it is what went wrong
                print(json.dumps({"name": name, "failure": f"{type(error).__name__}: {error}"}), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2]))
