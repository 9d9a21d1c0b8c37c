"""Loads what this package wrote and compares outputs with those recorded beside it: `check.py FOLDER`.

FOLDER/jobs.json lists the files; a JSON line for each tells the largest difference, or what went wrong.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
from safetensors.numpy import load_file


def torch_modules():
    """The networks whose state_dict the files of savePyTorch are."""
    import torch
    from torch import nn

    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True)
            self.head = nn.Linear(10, 2)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 6, num_layers=2, proj_size=4, bias=False, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0]

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(9, 3)
            self.lstm = nn.LSTM(3, 4, batch_first=True)
            self.norm = nn.LayerNorm(4)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.norm(self.lstm(self.embedding(x.long()))[0]))

    class Elman(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(3, 4, num_layers=2, bidirectional=True, nonlinearity="relu", batch_first=True)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    class Filmed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), groups=2)
            self.norm = nn.BatchNorm2d(4, eps=1e-3)
            self.lstm = nn.LSTM(4, 3, batch_first=True)

        def forward(self, x):
            y = self.norm(self.conv(x.flatten(0, 1).permute(0, 3, 1, 2)))
            y = nn.functional.max_pool2d(torch.relu(y), 2).mean((2, 3))
            return self.lstm(y.unflatten(0, x.shape[:2]))[0]

    class Attended(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.norm = nn.BatchNorm1d(6)

        def forward(self, x):
            y = self.attention(x, x, x, need_weights=False)[0]
            return self.norm(y.transpose(1, 2)).transpose(1, 2)

    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, x):
            return self.cell(x)[0]

    class Convolved(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2)
            self.lstm = nn.LSTM(6, 4, batch_first=True)

        def forward(self, x):
            return self.lstm(torch.relu(self.conv(x.transpose(1, 2)).transpose(1, 2)))[0]

    known = (Forecaster, Projected, Tagger, Elman, Filmed, Attended, Cell, Convolved)
    return {each.__name__.lower(): each for each in known}


def run_torch(job, x):
    import torch
    from safetensors.torch import load_file as load_torch

    module = torch_modules()[job["network"]]()
    module.load_state_dict(load_torch(job["path"]), strict=True)
    with torch.no_grad():
        return {"y": module.eval()(torch.from_numpy(x)).numpy()}


def keras_network(name):
    """The networks that the weights of NAME.weights.h5 belong to."""
    from keras import Input, Sequential, layers

    if name == "forecaster":
        return Sequential([Input((None, 3)), layers.LSTM(5, return_sequences=True), layers.LSTM(5), layers.Dense(2)])
    if name == "tagger":
        return Sequential(
            [
                Input((None,), dtype="int32"),
                layers.Embedding(9, 3, mask_zero=True),
                layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
                layers.LayerNormalization(epsilon=1e-5),
                layers.Dense(2, activation="softmax"),
            ]
        )
    if name == "convolved":
        return Sequential(
            [
                Input((None, 4)),
                layers.Conv1D(6, 3, padding="causal", activation="relu"),
                layers.MaxPooling1D(2),
                layers.LSTM(4, go_backwards=True),
            ]
        )
    if name == "filmed":
        each = layers.TimeDistributed
        return Sequential(
            [
                Input((None, None, None, 2)),
                each(layers.Conv2D(4, (3, 2), padding="same", activation="relu")),
                each(layers.BatchNormalization(epsilon=1e-3)),
                each(layers.MaxPooling2D(2)),
                each(layers.GlobalAveragePooling2D()),
                layers.Bidirectional(layers.SimpleRNN(3, activation="relu", return_sequences=True)),
                layers.SimpleRNN(3),
            ]
        )
    raise KeyError(name)


def run_keras(job, x):
    import keras

    if job["path"].endswith(".weights.h5"):
        model = keras_network(job["network"])
        model.load_weights(job["path"])
    else:
        model = keras.saving.load_model(job["path"])
    return {"y": keras.ops.convert_to_numpy(model(x, training=False))}


def run_onnx(job, x, others):
    import onnx
    import onnxruntime

    onnx.checker.check_model(job["path"], full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job["path"], options, providers=["CPUExecutionProvider"])
    feeds = {"x": x.astype(np.int64) if x.dtype == np.int32 else x}
    required = session.get_inputs()[1:]
    given = {each.name: others[each.name] for each in [*required, *session.get_overridable_initializers()]}
    # What is required has a value that stands for leaving it out.
    absent = {each.name: neutral(each) for each in required}
    names = [each.name for each in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, feeds | given)))
    alone = session.run(names, feeds | absent)
    return outputs | {f"alone/{name}": y for name, y in zip(names, alone)}


def neutral(each):
    if each.name == "lengths":
        return np.array([-1], np.int32)
    dtype = np.float64 if each.type == 'tensor(double)' else np.float32
    return np.zeros([n if isinstance(n, int) else 1 for n in each.shape], dtype)


def check(job):
    recorded = load_file(job["io"])
    x = recorded.pop("x")
    if job["kind"] == "pytorch":
        outputs = run_torch(job, x)
    elif job["kind"] == "keras":
        outputs = run_keras(job, x)
    else:
        outputs = run_onnx(job, x, recorded)
    worst = 0.0
    for name, got in outputs.items():
        if got.shape != recorded[name].shape:
            raise ValueError(f"{name}: expected shape {recorded[name].shape}, got {got.shape}")
        worst = max(worst, float(np.max(np.abs(got - recorded[name]))))
    return worst


for job in json.loads((Path(sys.argv[1]) / "jobs.json").read_text()):
    try:
        result = {"error": check(job)}
    except Exception as error:  # told to the caller, who counts it as a failure
        result = {"failure": f"{type(error).__name__}: {error}"}
    print(json.dumps({"name": job["name"], **result}), flush=True)
