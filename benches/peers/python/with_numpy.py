"""NumPy, as a careful person writes it by hand."""

import worker

try:
    import numpy as np
except Exception as error:  # a library that does not load raises more than ImportError
    worker.skip(error)

LEARNING_RATE = np.float32(worker.LEARNING_RATE)


def read(path, kind):
    return np.fromfile(path, dtype="<" + kind)


def classes(folder):
    return read(f"{folder}/labels", "u4").astype(np.intp)


def exponentials(logits):
    """exp(x - m), with m and the sum, a column each."""
    top = logits.max(axis=1, keepdims=True)
    exp = logits - top
    np.exp(exp, out=exp)
    return exp, top, exp.sum(axis=1, keepdims=True)


def head(logits, labels):
    """Mean cross-entropy with logits, and its gradient."""
    rows = np.arange(len(labels))
    gradient, top, total = exponentials(logits)
    loss = (np.log(total) + top)[:, 0] - logits[rows, labels]
    gradient /= total * np.float32(len(labels))
    gradient[rows, labels] -= np.float32(1 / len(labels))
    return loss.mean(), gradient


class Work:
    loss = matrix = None


class Softmax(Work):
    def __init__(self, folder, rows, cols):
        self.logits = worker.matrix(read, folder, "logits", rows, cols)

    def run(self):
        self.matrix = None
        probs, _, total = exponentials(self.logits)
        probs /= total
        self.matrix = probs


class CrossEntropy(Work):
    def __init__(self, folder, rows, cols):
        self.logits, self.labels = worker.matrix(read, folder, "logits", rows, cols), classes(folder)

    def run(self):
        self.matrix = None
        self.loss, self.matrix = head(self.logits, self.labels)


class Matmul(Work):
    def __init__(self, folder, m, k, n):
        self.a, self.b = worker.matrix(read, folder, "a", m, k), worker.matrix(read, folder, "b", k, n)

    def run(self):
        self.matrix = None
        self.matrix = self.a @ self.b


class Train(Work):
    def __init__(self, folder, *sizes):
        *widths, batch = sizes
        self.x, self.labels = worker.matrix(read, folder, "x", batch, widths[0]), classes(folder)
        self.weights = worker.layers(read, folder, widths)
        self.biases = [np.zeros(cols, np.float32) for cols in widths[1:]]

    def run(self):
        inputs = [self.x]
        for w, b in zip(self.weights[:-1], self.biases):
            h = inputs[-1] @ w
            h += b
            np.maximum(h, 0, out=h)
            inputs.append(h)
        logits = inputs[-1] @ self.weights[-1]
        logits += self.biases[-1]
        self.loss, dy = head(logits, self.labels)
        for layer in reversed(range(len(inputs))):
            x, w, b = inputs[layer], self.weights[layer], self.biases[layer]
            if layer > 0:
                dx = dy @ w.T
                dx *= x > 0
            w -= LEARNING_RATE * (x.T @ dy)
            b -= LEARNING_RATE * dy.sum(axis=0)
            if layer > 0:
                dy = dx
        self.loss = float(self.loss)


def blas():
    try:
        library = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{library['name']} {library['version']}"
    except (KeyError, TypeError):
        return "an unknown BLAS"


def raw(values):
    return np.asarray(values, dtype="<f4").tobytes()


tasks = {"train": Train, "matmul": Matmul, "softmax": Softmax, "cross_entropy": CrossEntropy}
worker.serve("", f"NumPy {np.__version__}, {blas()}", tasks, raw)
