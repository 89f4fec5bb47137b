"""PyTorch, eager, as its users write it; on CUDA where it has that, else on the CPU."""

import ctypes

import worker

try:
    import torch
    import torch.nn.functional as F
except Exception as error:  # a library that does not load raises more than ImportError
    worker.skip(error)

# TF32 keeps only ten bits of the factors, which would be another job.
torch.set_float32_matmul_precision("highest")
torch.backends.cuda.matmul.allow_tf32 = False

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")


def read(path, kind):
    with open(path, "rb") as file:
        numbers = torch.frombuffer(bytearray(file.read()), dtype={"f4": torch.float32, "u4": torch.int32}[kind])
    return numbers.to(DEVICE)


def classes(folder):
    return read(f"{folder}/labels", "u4").long()


def wait():
    if CUDA:
        torch.cuda.synchronize()


class Work:
    loss = matrix = None


class Softmax(Work):
    def __init__(self, folder, rows, cols):
        self.logits = worker.matrix(read, folder, "logits", rows, cols)
        wait()

    def run(self):
        self.matrix = None
        self.matrix = torch.softmax(self.logits, 1)
        wait()


class CrossEntropy(Work):
    def __init__(self, folder, rows, cols):
        self.logits = worker.matrix(read, folder, "logits", rows, cols).requires_grad_()
        self.labels = classes(folder)
        wait()

    def run(self):
        self.matrix = self.logits.grad = None
        loss = F.cross_entropy(self.logits, self.labels)
        loss.backward()
        self.loss, self.matrix = loss.item(), self.logits.grad
        wait()


class Matmul(Work):
    def __init__(self, folder, m, k, n):
        self.a, self.b = worker.matrix(read, folder, "a", m, k), worker.matrix(read, folder, "b", k, n)
        wait()

    def run(self):
        self.matrix = None
        self.matrix = self.a @ self.b
        wait()


class Train(Work):
    def __init__(self, folder, *sizes):
        *widths, batch = sizes
        self.x, self.labels = worker.matrix(read, folder, "x", batch, widths[0]), classes(folder)
        parts = []
        for weights in worker.layers(read, folder, widths):
            layer = torch.nn.Linear(*weights.shape, device=DEVICE)
            with torch.no_grad():
                layer.weight.copy_(weights.t())
                layer.bias.zero_()
            parts += [layer, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*parts[:-1])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=worker.LEARNING_RATE)
        wait()

    def run(self):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.x), self.labels)
        loss.backward()
        self.optimizer.step()
        # This follows the update in the device's queue, so it waits for the update too.
        self.loss = loss.item()


def raw(values):
    # This uses no NumPy, because PyTorch works without it.
    values = torch.as_tensor(values, dtype=torch.float32).detach().cpu().contiguous()
    return ctypes.string_at(values.data_ptr(), 4 * values.numel())


adapter = torch.cuda.get_device_name() if CUDA else ""
where = f"{adapter}, CUDA {torch.version.cuda}, TF32 off" if CUDA else f"CPU, {torch.get_num_threads()} threads"
tasks = {"train": Train, "matmul": Matmul, "softmax": Softmax, "cross_entropy": CrossEntropy}
worker.serve(adapter, f"PyTorch {torch.__version__}, eager, {where}", tasks, raw)
