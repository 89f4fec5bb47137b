"""Trains scikit-learn's MLPClassifier on the splits of `cargo run --release --example digits -- --splits 5`.

    pip install scikit-learn
    python examples/digits/scikit_learn.py target/digits/splits.csv

The same shape, the same splits, its own early stopping: a tenth of the training digits tells when to stop.
"""

import csv
import gzip
import pathlib
import sys
from collections import defaultdict

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

HERE = pathlib.Path(__file__).parent


def main(path):
    with gzip.open(HERE / "../data/digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    x, y = table[:, :-1] / 16, table[:, -1].astype(int)
    rows = defaultdict(list)
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            rows[int(line["split"]), line["part"]].append(int(line["row"]))
    print(f"scikit-learn {sklearn.__version__}")
    scores = defaultdict(list)
    for split in sorted({split for split, _ in rows}):
        train, test = rows[split, "train"], rows[split, "test"]
        for name, options in {
            "early stopping": {"early_stopping": True},
            "early stopping, batch 32, rate 0.003": {
                "early_stopping": True, "batch_size": 32, "learning_rate_init": 0.003, "n_iter_no_change": 20,
            },
            "without": {},
        }.items():
            model = MLPClassifier((128,), random_state=split, **options).fit(x[train], y[train])
            scores[name].append(model.score(x[test], y[test]))
    for name, values in scores.items():
        print(f"{name:>38}:", "  ".join(f"{100 * value:.2f}" for value in values), f"  mean {100 * np.mean(values):.2f} %")


if __name__ == "__main__":
    main(sys.argv[1])
