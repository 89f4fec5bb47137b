"""Makes the files of this folder, as README.md says: python tests/data/make.py [FOLDER]

Needs numpy, ml_dtypes, torch and safetensors; without torch, a FOLDER other than this one gets this one's file of it.
tests/host/data/written.rs computes the same values and compares.
"""

import shutil
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

KEPT = Path(__file__).resolve().parent
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else KEPT
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


def tensors():
    import torch
    from safetensors.torch import save_file

    exact = torch.from_numpy(thirds)
    named = {
        "f32": exact.to(torch.float32),
        "f16": exact.to(torch.float16),
        "bf16": exact.to(torch.bfloat16),
        "u8": torch.from_numpy(byte),
        "labels": torch.from_numpy(labels),
    }
    save_file(named, FOLDER / "tensors.safetensors", metadata={"format": "pt"})


try:
    tensors()
except ModuleNotFoundError as error:
    if FOLDER.resolve() == KEPT:
        raise
    print(f"skipped: tensors.safetensors ({error}); the file that is kept is read")
    shutil.copy(KEPT / "tensors.safetensors", FOLDER)
