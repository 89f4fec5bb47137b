"""NumPy's side of the comparison: src/worker.rs starts it and says what to do, a line at a time."""

import os
import sys
import time

try:
    import numpy as np
except ImportError as error:
    print(f"@ skipped {error}", flush=True)
    sys.exit()

LEARNING_RATE = np.float32(sys.argv[1])
CHECKED_STEPS, CHECKED_ROWS = int(sys.argv[2]), int(sys.argv[3])


def matrix(folder, name, rows, cols):
    return np.fromfile(os.path.join(folder, name), dtype="<f4").reshape(rows, cols)


def classes(folder):
    return np.fromfile(os.path.join(folder, "labels"), dtype="<u4").astype(np.intp)


def exponentials(logits):
    """exp(x - m), with m and the sum, a column each."""
    top = logits.max(axis=1, keepdims=True)
    exp = logits - top
    np.exp(exp, out=exp)
    return exp, top, exp.sum(axis=1, keepdims=True)


class Softmax:
    def __init__(self, folder, rows, cols):
        self.logits = matrix(folder, "logits", rows, cols)

    def run(self):
        self.matrix = None
        probs, _, total = exponentials(self.logits)
        probs /= total
        self.matrix = probs


class CrossEntropy:
    def __init__(self, folder, rows, cols):
        self.logits, self.labels = matrix(folder, "logits", rows, cols), classes(folder)

    def run(self):
        self.matrix = None
        self.loss, self.matrix = head(self.logits, self.labels)


def head(logits, labels):
    """Mean cross-entropy with logits, and its gradient."""
    rows = np.arange(len(labels))
    gradient, top, total = exponentials(logits)
    loss = (np.log(total) + top)[:, 0] - logits[rows, labels]
    gradient /= total * np.float32(len(labels))
    gradient[rows, labels] -= np.float32(1 / len(labels))
    return loss.mean(), gradient


class Matmul:
    def __init__(self, folder, m, k, n):
        self.a, self.b = matrix(folder, "a", m, k), matrix(folder, "b", k, n)

    def run(self):
        self.matrix = None
        self.matrix = self.a @ self.b


class Train:
    def __init__(self, folder, inputs, hidden, outputs, batch):
        self.x, self.labels = matrix(folder, "x", batch, inputs), classes(folder)
        self.w1, self.w2 = matrix(folder, "hidden", inputs, hidden), matrix(folder, "output", hidden, outputs)
        self.b1, self.b2 = np.zeros(hidden, np.float32), np.zeros(outputs, np.float32)
        self.matrix = None

    def run(self):
        h = self.x @ self.w1
        h += self.b1
        np.maximum(h, 0, out=h)
        logits = h @ self.w2
        logits += self.b2
        self.loss, dlogits = head(logits, self.labels)
        dh = dlogits @ self.w2.T
        dh *= h > 0
        self.w2 -= LEARNING_RATE * (h.T @ dlogits)
        self.b2 -= LEARNING_RATE * dlogits.sum(axis=0)
        self.w1 -= LEARNING_RATE * (self.x.T @ dh)
        self.b1 -= LEARNING_RATE * dh.sum(axis=0)
        self.loss = float(self.loss)


TASKS = {"train": Train, "matmul": Matmul, "softmax": Softmax, "cross_entropy": CrossEntropy}


def timed(work):
    begin = time.perf_counter()
    work.run()
    return time.perf_counter() - begin


def answer(work):
    """The loss, and those rows of the matrix that are checked."""
    numbers = [] if getattr(work, "loss", None) is None else [np.array([work.loss], np.float32)]
    if work.matrix is not None:
        rows, count = len(work.matrix), len(work.matrix)
        if not isinstance(work, Matmul):
            count = min(rows, CHECKED_ROWS)
        chosen = [0 if count < 2 else i * (rows - 1) // (count - 1) for i in range(count)]
        numbers.append(work.matrix[chosen].ravel())
    return np.concatenate(numbers)


def check(work, path):
    times, answers = [], []
    for _ in range(CHECKED_STEPS if isinstance(work, Train) else 1):
        times.append(timed(work))
        answers.append(answer(work))
    np.concatenate(answers).astype("<f4").tofile(path)
    return times[:1]


def blas():
    try:
        library = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{library['name']} {library['version']}"
    except (KeyError, TypeError):
        return "an unknown BLAS"


def main():
    print(f"@ ready NumPy {np.__version__}, {blas()}", flush=True)
    work = None
    for line in sys.stdin:
        command, _, rest = line.rstrip("\n").partition("\t")
        try:
            times = []
            if command == "prepare":
                work = None
                task, folder = rest.split("\t")
                name, *sizes = task.split()
                work = TASKS[name](folder, *map(int, sizes))
            elif command == "check":
                times = check(work, rest)
            elif command == "run":
                times = [timed(work) for _ in range(int(rest))]
            elif command == "finish":
                work = None
            print("@ ok", *times, flush=True)
        except Exception as error:  # whatever it is, the table names it
            print(f"@ fails {type(error).__name__}: {error}".replace("\n", " "), flush=True)


main()
