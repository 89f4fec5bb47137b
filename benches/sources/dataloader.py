"""PyTorch's DataLoader on the files of the bench `sources`, into the same two models: the same columns.

    python dataloader.py --data target/sources
    python dataloader.py --bytes 200000000 --models 784-10

The files are those that `cargo bench --bench sources` made, found by --bytes. The map-style data set is a memory-mapped
array; "batched" fetches a batch at once (__getitems__), as a careful user writes it, "rows" a row at a time (__getitem__), as
most do. An epoch goes through a part of the rows, drawn from the whole file and shuffled; in each round an epoch on a tensor in
memory comes first, and medians of the rounds are told.
"""

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

COLUMNS, CLASSES = 784, 10
TYPES = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
MODELS = {"784-10": [784, 10], "784-512-10": [784, 512, 10]}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# The time between two measurements of the memory, in seconds.
INTERVAL = 0.02

# TF32 keeps only ten bits of the factors, which would be another job.
torch.set_float32_matmul_precision("highest")


class Rows(Dataset):
    """Some rows of a mapped file, one at a time."""

    def __init__(self, path, rows, labels):
        self.path, self.rows, self.labels, self.array = path, rows, labels, None

    def opened(self):
        # Each worker maps the file itself.
        if self.array is None:
            self.array = np.load(self.path, mmap_mode="r")
        return self.array

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.opened()[self.rows[index]]
        return torch.from_numpy(row.astype(np.float32)), self.labels[index]


class Batched(Rows):
    """Some rows of a mapped file, a batch at a time."""

    def __getitems__(self, indices):
        values = self.opened()[self.rows[indices]].astype(np.float32, copy=False)
        return torch.from_numpy(values), torch.from_numpy(self.labels[indices])


class Kept(Dataset):
    """The rows in memory."""

    def __init__(self, values, labels):
        self.values, self.labels = torch.from_numpy(values), torch.from_numpy(labels)

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, indices):
        indices = torch.as_tensor(indices)
        return self.values[indices], self.labels[indices]


def loader(args, data, workers):
    # The result of __getitems__ is already a batch.
    whole = {"collate_fn": lambda batch: batch} if hasattr(data, "__getitems__") else {}
    generator = torch.Generator().manual_seed(args.seed)
    more = {"persistent_workers": True} if workers else {}
    return DataLoader(
        data,
        args.batch,
        shuffle=True,
        num_workers=workers,
        generator=generator,
        pin_memory=DEVICE.type == "cuda",
        **whole,
        **more,
    )


def model(widths, seed):
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(DEVICE)


def wait():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def epoch(args, name, batches):
    """The seconds of an epoch on a new model, from the first batch asked for to the last loss on the host."""
    net = model(MODELS[name], args.seed)
    rule = torch.optim.Adam(net.parameters(), lr=1e-4)
    total = torch.zeros((), device=DEVICE)
    wait()
    begin = time.perf_counter()
    for values, labels in batches:
        values, labels = values.to(DEVICE, non_blocking=True), labels.to(DEVICE, non_blocking=True)
        rule.zero_grad()
        loss = F.cross_entropy(net(values), labels)
        loss.backward()
        rule.step()
        total += loss.detach() * len(labels)
    assert np.isfinite(total.item())
    return time.perf_counter() - begin


def own_bytes(process="self"):
    """Memory behind which no file stands, of a process and of those it started, the workers. What they share counts once."""
    total = 0
    with open(f"/proc/{process}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                total += 1024 * int(line.split()[1])
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/children") as children:
            total += sum(own_bytes(child) for child in children.read().split())
    return total


class Watch(threading.Thread):
    """Looks at the memory until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.over = 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(INTERVAL):
            try:
                self.peak = max(self.peak, own_bytes())
            except OSError:
                pass  # A worker ended meanwhile, or this is no Linux.

    def stop(self, without):
        """The most that was seen, but for so many bytes."""
        self.over.set()
        self.join()
        return f"{(self.peak - without) / 1e6:.0f}" if self.peak else "unknown"


def evict(path):
    """Takes the file out of the page cache; no process may have it mapped."""
    os.sync()
    subprocess.run(["dd", f"if={path}", "iflag=nocache", "count=0", "status=none"], check=True)


def warm(path):
    with open(path, "rb", buffering=0) as file:
        chunk = bytearray(8 << 20)
        while file.readinto(chunk):
            pass


def line(args, name, kind, cache, batched, workers, path, part, beside):
    rounds, memory = [], ""
    data = (Batched if batched else Rows)(path, *part)
    batches = loader(args, data, workers)
    for index in range(args.epochs + 1):
        if cache == "cold":
            # Ends the workers, and so their mappings of the file.
            del batches
            data.array = None
            evict(path)
            batches = loader(args, data, workers)
        elif index == 0:
            warm(path)
        array = epoch(args, name, beside)
        watch = Watch() if index == 0 else None
        took = epoch(args, name, batches)
        if watch:
            memory = watch.stop(beside.dataset.values.nbytes)
        else:
            rounds.append((array, took))
    # Rows a second, the array's first.
    rates = [(len(beside.dataset) / array, len(part[0]) / took) for array, took in rounds]
    array, rate = (statistics.median(column) for column in zip(*rates))
    ratio = statistics.median(rate / array for array, rate in rates)
    bandwidth = rate * COLUMNS * TYPES[kind]().itemsize / 1e9
    fetch = "batched" if batched else "rows"
    print(
        f"| {name} | {kind}, mapped, {fetch} | {cache} | {workers} | {rate:.0f} | {array:.0f} | {ratio:.2f} "
        f"| {bandwidth:.2f} | {memory} |",
        flush=True,
    )


def draw(count, of, labels, seed):
    """So many of a file's rows, drawn from the whole file, and their classes."""
    rows = np.random.default_rng(seed).permutation(of)[:count]
    return rows, labels[rows].astype(np.int64)


def files(args, kind):
    rows = args.bytes // (COLUMNS * TYPES[kind]().itemsize)
    path = os.path.join(args.data, f"{kind}-{rows}x{COLUMNS}.npy")
    if not os.path.exists(path):
        sys.exit(f"{path} is not there: cargo bench --bench sources makes it, with the same --bytes")
    return path, rows


def head(args):
    processor = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as info:
            processor = next((l.split(":")[1].strip() for l in info if l.startswith("model name")), processor)
    where = torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    print(f"- device: PyTorch {torch.__version__}, {where}\n- machine: {processor}, {os.cpu_count()} threads")
    print(f"- date: {today}\n- command: `dataloader.py {' '.join(sys.argv[1:])}`\n")
    print("| model | rows from | page cache | workers | rows/s | array, rows/s | ratio | from the file, GB/s | own memory, MB |")
    print("|---|---|---|--:|--:|--:|--:|--:|--:|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    several = lambda kind: lambda text: [kind(part) for part in text.split(",")]
    parser.add_argument("--data", default="target/sources", help="folder of the files")
    parser.add_argument("--bytes", type=int, default=2_000_000_000, help="bytes of each file")
    parser.add_argument("--rows-per-run", type=int, default=131_072, help="rows of an epoch")
    parser.add_argument("--cold-rows", type=int, default=32_768, help="rows where the page cache is cold")
    parser.add_argument("--epochs", type=int, default=5, help="rounds; one more comes first")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--models", type=several(str), default=list(MODELS))
    parser.add_argument("--types", type=several(str), default=list(TYPES))
    parser.add_argument("--caches", type=several(str), default=["warm", "cold"])
    parser.add_argument("--workers", type=several(int), default=[0, 1, 2])
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    labels = np.load(os.path.join(args.data, f"labels-{args.bytes // COLUMNS}.npy"))
    head(args)
    for name in args.models:
        for cache in args.caches:
            count = args.rows_per_run if cache == "warm" else args.cold_rows
            path, rows = files(args, "f32")
            chosen, classes = draw(count, rows, labels, args.seed)
            kept = Kept(np.load(path, mmap_mode="r")[chosen], classes)
            beside = loader(args, kept, 0)
            for kind in args.types:
                path, rows = files(args, kind)
                part = draw(count, rows, labels, args.seed)
                for batched in [True, False]:
                    for workers in args.workers:
                        line(args, name, kind, cache, batched, workers, path, part, beside)


if __name__ == "__main__":
    main()
