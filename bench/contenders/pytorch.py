"""PyTorch as a contender: the same protocol as worker.ts, one JSON object a line on stdin and stdout."""

import json
import resource
import sys
import time
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def peak_memory():
    """Bytes of the largest resident set so far; see peakMemory in worker.ts."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def read_tensors(path, entries):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    tensors = {}
    for entry in entries:
        dtype = torch.int32 if entry["name"] in ("tokens", "targets") else torch.float32
        count = 1
        for n in entry["shape"]:
            count *= n
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=entry["offset"])
        tensors[entry["name"]] = flat.reshape(entry["shape"]).clone()
    return tensors


def write_tensors(path, tensors):
    entries, offset = [], 0
    with open(path, "wb") as file:
        for name, value in tensors.items():
            data = value.detach().contiguous().numpy().tobytes()
            file.write(data)
            entries.append({"name": name, "shape": list(value.shape), "offset": offset})
            offset += len(data)
    return entries


def prepare(case, tensors, lengths):
    """Returns (run, results). Inputs are time-first, the order that torch.nn.LSTM computes in."""
    lstm = torch.nn.LSTM(case["I"], case["H"], case["layers"], bidirectional=case["directions"] == 2)
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            parameter.copy_(tensors[name])
    if case["mode"] == "step":
        return prepare_step(case, lstm, tensors)

    x = tensors["x"].transpose(0, 1).contiguous()
    state = (tensors["h0"], tensors["c0"])
    last = {}

    def forward():
        if lengths is None:
            return lstm(x, state)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, final = lstm(packed, state)
        return torch.nn.utils.rnn.pad_packed_sequence(output, total_length=case["T"])[0], final

    if case["mode"] == "inference":
        lstm.eval()

        def infer():
            with torch.inference_mode():
                last["output"], (last["h"], last["c"]) = forward()

        def inferred():
            return {"output": last["output"].transpose(0, 1), "h": last["h"], "c": last["c"]}

        return infer, inferred

    x.requires_grad_()
    dy = tensors["dy"].transpose(0, 1).contiguous()

    def train():
        lstm.zero_grad(set_to_none=True)
        x.grad = None
        last["output"], _ = forward()
        last["output"].backward(dy)

    def trained():
        gradients = {"d" + name: parameter.grad for name, parameter in lstm.named_parameters()}
        return {"output": last["output"].transpose(0, 1), "dx": x.grad.transpose(0, 1), **gradients}

    return train, trained


def prepare_step(case, lstm, tensors):
    model = torch.nn.ModuleDict({"lstm": lstm})
    model["head"] = torch.nn.Linear(case["H"] * case["directions"], case["model"]["outputs"])
    is_text = case["model"]["kind"] == "tokens"
    if is_text:
        model["embedding"] = torch.nn.Embedding(case["model"]["outputs"], case["I"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("lstm."):
                parameter.copy_(tensors[name])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    source = tensors["tokens"].long() if is_text else tensors["x"]
    source = source.transpose(0, 1).contiguous()
    target = tensors["targets"].long() if is_text else tensors["target"]
    target = target.transpose(0, 1).contiguous()
    clip = case["model"].get("clipNorm")
    losses = []

    def step():
        optimizer.zero_grad(set_to_none=True)
        prediction = model["head"](lstm(model["embedding"](source) if is_text else source)[0])
        if is_text:
            loss = torch.nn.functional.cross_entropy(prediction.flatten(0, 1), target.flatten())
        else:
            loss = torch.nn.functional.mse_loss(prediction, target)
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())

    return step, lambda: {"losses": torch.tensor(losses)}


def clock(run, inner):
    start = time.perf_counter()
    for _ in range(inner):
        run()
    return (time.perf_counter() - start) / inner


def main():
    started_with = peak_memory()
    run = None
    slept_cpu = time.process_time()
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "prepare":
            torch.set_num_threads(request["threads"])
            tensors = read_tensors(request["file"], request["tensors"])
            lengths = request["lengths"] and torch.tensor(request["lengths"])
            run, results = prepare(request["case"], tensors, lengths)
            for _ in range(request["repetitions"]):
                run()
            reply = {
                "description": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads",
                "tensors": write_tensors(request["results"], results()),
            }
        else:
            idle = time.process_time() - slept_cpu
            samples = []
            if request["warm"]:
                run()
            began = time.perf_counter()
            while not samples or time.perf_counter() - began < request["seconds"]:
                samples.append(clock(run, request["inner"]))
            memory = {"imported": started_with, "peak": peak_memory()}
            reply = {"samples": samples, "idle": idle, "memory": memory}
        slept_cpu = time.process_time()
        print(json.dumps(reply), flush=True)


main()
