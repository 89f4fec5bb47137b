"""Makes pytorch.safetensors and pytorch.json: a classifier of digits that PyTorch trained, and its own probabilities.

    pip install torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
    python tests/browser/data/pytorch.py
"""

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parent
ROWS = 20


def main():
    with gzip.open(FOLDER.parents[2] / "examples/data/digits.csv.gz") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
    x, labels = torch.from_numpy(table[:, :64] / 16), torch.from_numpy(table[:, 64].astype(np.int64))
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(60):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), labels[rows]).backward()
            optimizer.step()
    net.eval()
    save_file(net.state_dict(), FOLDER / "pytorch.safetensors", metadata={"format": "pt"})
    (FOLDER / "pytorch.safetensors").chmod(0o644)
    # The last row is no digit: it has values of both signs.
    rows = torch.cat([x[:: len(x) // (ROWS - 1)][: ROWS - 1], torch.randn(1, 64)])
    with torch.no_grad():
        probabilities = torch.softmax(net(rows), 1)
        right = (net(x).argmax(1) == labels).float().mean().item()
    print(f"{right:.4f} of the digits are right")
    told = {"rows": rows.flatten().tolist(), "probabilities": probabilities.flatten().tolist()}
    (FOLDER / "pytorch.json").write_text(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
