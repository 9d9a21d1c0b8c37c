"""The other side of load.ts: makes the file, then loads it once for each line on stdin and answers with milliseconds."""

import sys
import time

import torch
from safetensors.torch import load_file, save_file

path, hidden, layers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1)
model = torch.nn.LSTM(hidden, hidden, num_layers=layers)
save_file(model.state_dict(), path)
checksum = float(model.weight_hh_l0.detach().double().sum())
print(checksum, flush=True)
for _ in sys.stdin:
    with torch.no_grad():
        model.weight_hh_l0.zero_()
    start = time.perf_counter()
    model.load_state_dict(load_file(path))
    milliseconds = (time.perf_counter() - start) * 1e3
    assert float(model.weight_hh_l0.detach().double().sum()) == checksum
    print(milliseconds, flush=True)
