"""Runs a model of this crate in PyTorch, and makes one there for it: forward.py's part, see main.rs.

    pip install torch numpy safetensors
    python examples/numpy/pytorch.py target/numpy
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn


def probabilities(net, x):
    with torch.no_grad():
        return torch.softmax(net.eval()(x), 1).numpy()


def main(folder):
    x = torch.from_numpy(np.load(folder / "x.npy"))
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    net.load_state_dict(load_file(folder / "model.safetensors"))
    apart = np.abs(probabilities(net, x) - np.load(folder / "probs.npy")).max()
    print(f"model.safetensors: probabilities at most {apart:.1e} apart")

    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 5))
    save_file(net.state_dict(), folder / "numpy.safetensors")
    np.save(folder / "numpy_probs.npy", probabilities(net, x))
    return int(not apart <= 1e-6)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
