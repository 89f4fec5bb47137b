"""Makes the files of this folder, as README.md says: python tests/data/make.py

Needs numpy, ml_dtypes, torch and safetensors. tests/host/data/written.rs computes the same values and compares.
"""

from pathlib import Path

import ml_dtypes
import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
ROWS, COLS = 7, 5

# Row r and column c have k = 5 r + c, and hold (k - 10) / 3, or 7 k as bytes.
k = np.arange(ROWS * COLS).reshape(ROWS, COLS)
thirds = (k - 10) / 3
byte = (7 * k).astype("u1")
labels = np.arange(ROWS) % 3

np.save(FOLDER / "f2.npy", thirds.astype("<f2"))
np.save(FOLDER / "f2_big_endian.npy", thirds.astype(">f2"))
np.save(FOLDER / "f4.npy", thirds.astype("<f4"))
np.save(FOLDER / "f4_big_endian.npy", thirds.astype(">f4"))
np.save(FOLDER / "f4_fortran.npy", np.asfortranarray(thirds.astype("<f4")))
np.save(FOLDER / "f8.npy", thirds)
np.save(FOLDER / "f8_column.npy", thirds[:, 0])
np.save(FOLDER / "u1.npy", byte)
np.save(FOLDER / "bfloat16.npy", thirds.astype(ml_dtypes.bfloat16))
np.save(FOLDER / "labels_i8.npy", labels)
np.save(FOLDER / "labels_f4.npy", labels.astype("f4"))

exact = torch.from_numpy(thirds)
tensors = {
    "f32": exact.to(torch.float32),
    "f16": exact.to(torch.float16),
    "bf16": exact.to(torch.bfloat16),
    "u8": torch.from_numpy(byte),
    "labels": torch.from_numpy(labels),
}
save_file(tensors, FOLDER / "tensors.safetensors", metadata={"format": "pt"})
