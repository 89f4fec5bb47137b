"""Runs a model of this crate in NumPy, and makes one for it: see main.rs.

    pip install numpy safetensors
    python examples/numpy/forward.py target/numpy
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file


def forward(tensors, x):
    """nn.Sequential(Linear, ReLU, Linear, ...), then softmax; weights are outputs x inputs."""
    layers = sorted(int(name.split(".")[0]) for name in tensors if name.endswith(".weight"))
    for layer in layers:
        x = x @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"]
        if layer != layers[-1]:
            x = np.maximum(x, 0)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def main(folder):
    x = np.load(folder / "x.npy")
    apart = np.abs(forward(load_file(folder / "model.safetensors"), x) - np.load(folder / "probs.npy")).max()
    print(f"model.safetensors: probabilities at most {apart:.1e} apart")

    rng = np.random.default_rng(7)
    weights = {}
    for layer, (inputs, outputs) in {0: (8, 20), 2: (20, 12), 4: (12, 5)}.items():
        weights[f"{layer}.weight"] = rng.normal(0, 0.5, (outputs, inputs)).astype(np.float32)
        weights[f"{layer}.bias"] = rng.normal(0, 0.5, outputs).astype(np.float32)
    save_file(weights, folder / "numpy.safetensors")
    np.save(folder / "numpy_probs.npy", forward(weights, x))
    return int(not apart <= 1e-6)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
