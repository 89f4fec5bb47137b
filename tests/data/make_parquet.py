"""Makes the Parquet files of tests/data/parquet and examples/data/flowers.parquet.

    python3 -m venv FOLDER && FOLDER/bin/pip install pandas pyarrow polars
    FOLDER/bin/python tests/data/make_parquet.py [OTHER]

With the name of another folder, those of tests/data/parquet are made there, and the example's is not made. The files
that are kept were written by pandas 3.1.1, pyarrow 26.0.1 and polars 2.1.0. The tests compute their values from the
formula below.
"""

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "data" / "parquet"
FILES = Path(sys.argv[1]) if len(sys.argv) > 1 else KEPT
ROWS, KINDS = 50, ["rose", "aster", "lily"]


def value(row, column):
    """A small integer, so that every type holds it exactly."""
    return (7 * row + 3 * column) % 23


def column(index, kind):
    return np.array([value(row, index) for row in range(ROWS)]).astype(kind)


def matrix(index, kind, width=4):
    """Rows that begin with the column of this index."""
    return np.array([[value(row, index + place) / 4 for place in range(width)] for row in range(ROWS)]).astype(kind)


def kinds():
    return [KINDS[row % 3] for row in range(ROWS)]


def numbers():
    """A column of each type of number, as pandas writes it: snappy, an index, strings as categories."""
    types = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
    frame = pd.DataFrame({kind: column(index, kind) for index, kind in enumerate(types)})
    frame["bool"] = [value(row, 11) % 2 == 1 for row in range(ROWS)]
    frame["kind"] = pd.Categorical(kinds())
    frame["name"] = [f"row {row}" for row in range(ROWS)]
    frame["day"] = pd.date_range("2026-01-01", periods=ROWS)
    frame.index = pd.Index([1000 + 2 * row + row % 2 for row in range(ROWS)])
    frame.to_parquet(FILES / "numbers.parquet", row_group_size=17)


def lists():
    """Embeddings of each kind, every column compressed in its own way, in pages of format 2 where they are strings."""
    fixed16 = pa.FixedSizeListArray.from_arrays(pa.array(matrix(0, "float16").ravel()), 4)
    fixed32 = pa.FixedSizeListArray.from_arrays(pa.array(matrix(1, "float32").ravel()), 4)
    variable32 = pa.array(list(matrix(2, "float32")), pa.list_(pa.float32()))
    variable64 = pa.array(list(matrix(3, "float64")), pa.large_list(pa.float64()))
    whole = pa.array([[value(row, 0), value(row, 1)] for row in range(ROWS)], pa.list_(pa.int16()))
    table = pa.table({
        "fixed16": fixed16, "fixed32": fixed32, "variable32": variable32, "variable64": variable64, "whole": whole,
        "label": pa.array([value(row, 5) for row in range(ROWS)], pa.uint16()),
    })
    codecs = {"fixed16": "zstd", "fixed32": "none", "variable32": "snappy", "variable64": "gzip", "whole": "lz4"}
    named = {f"{name}.list.element": codec for name, codec in codecs.items()}
    pq.write_table(table, FILES / "lists.parquet", row_group_size=16, compression=named | {"label": "zstd"})
    pq.write_table(table, FILES / "lists_v2.parquet", row_group_size=32, compression="zstd", data_page_version="2.0")


def nulls():
    """Columns that hold what no feature or label may be, each in row 13 of 20, the second row group's fourth row."""
    rows, bad = range(20), 13
    def holding(good, wrong):
        return [wrong if row == bad else good(row) for row in rows]
    table = pa.table({
        "good": pa.array([float(row) for row in rows], pa.float32()),
        "number": pa.array(holding(float, None), pa.float64()),
        "nan": pa.array(holding(float, float("nan")), pa.float32()),
        "list": pa.array(holding(lambda row: [row, row], None), pa.list_(pa.float32())),
        "fixed": pa.array(holding(lambda row: [row, row], None), pa.list_(pa.float32(), 2)),
        "item": pa.array(holding(lambda row: [row, row], [1, None]), pa.list_(pa.float32())),
        "long": pa.array(holding(lambda row: [row, row], [1, 2, 3]), pa.list_(pa.float32())),
        "empty": pa.array(holding(lambda row: [row, row], []), pa.list_(pa.float32())),
        "id": pa.array(holding(int, None), pa.int64()),
        "kind": pa.array(holding(lambda row: KINDS[row % 3], None), pa.string()),
        "huge": pa.array(holding(int, 2**63), pa.uint64()),
        "price": pa.array([Decimal(row) for row in rows], pa.decimal128(8, 2)),
        "words": pa.array([["a"]] * len(rows), pa.list_(pa.string())),
    })
    pq.write_table(table, FILES / "nulls.parquet", row_group_size=10)


def polars():
    """What polars writes: zstd, categories, arrays and lists."""
    frame = pl.DataFrame({
        "x": column(0, "float32"),
        "y": column(1, "int64"),
        "kind": pl.Series(kinds(), dtype=pl.Categorical),
        "array": pl.Series(matrix(2, "float32").tolist(), dtype=pl.Array(pl.Float32, 4)),
        "list": pl.Series(matrix(3, "float64").tolist(), dtype=pl.List(pl.Float64)),
    })
    frame.write_parquet(FILES / "polars.parquet", row_group_size=20)


def flowers():
    frame = pd.read_csv(ROOT / "examples" / "data" / "flowers.csv")
    frame.to_parquet(ROOT / "examples" / "data" / "flowers.parquet", index=False, row_group_size=60)


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    for make in [numbers, lists, nulls, polars]:
        make()
    if FILES == KEPT:
        flowers()
