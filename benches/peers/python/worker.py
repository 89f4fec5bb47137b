"""A peer in Python: src/worker.rs starts with_numpy.py or with_torch.py and says what to do, a line at a time."""

import os
import sys
import time

LEARNING_RATE = float(sys.argv[1])
CHECKED_STEPS, CHECKED_ROWS = int(sys.argv[2]), int(sys.argv[3])


def say(word, *rest):
    print("@", word, *(str(part).replace("\n", " ") for part in rest), flush=True)


def skip(error):
    """The library is not there, or does not load."""
    say("skipped:", f"{type(error).__name__}: {error}")
    sys.exit()


def matrix(read, folder, name, rows, cols):
    return read(os.path.join(folder, name), "f4").reshape(rows, cols)


def layers(read, folder, widths):
    pairs = enumerate(zip(widths, widths[1:]))
    return [matrix(read, folder, f"weights{layer}", rows, cols) for layer, (rows, cols) in pairs]


def timed(work):
    begin = time.perf_counter()
    work.run()
    return time.perf_counter() - begin


def checked(work, rows):
    """The rows that are checked, as src/job.rs chooses them."""
    count = rows if work.name == "matmul" else min(rows, CHECKED_ROWS)
    return [0 if count < 2 else i * (rows - 1) // (count - 1) for i in range(count)]


def check(work, path, raw):
    """Loss and matrix of each step that is checked go to the file; gives the seconds of the first."""
    times = []
    with open(path, "wb") as file:
        for _ in range(CHECKED_STEPS if work.name == "train" else 1):
            times.append(timed(work))
            if work.loss is not None:
                file.write(raw([work.loss]))
            if work.matrix is not None:
                file.write(raw(work.matrix[checked(work, len(work.matrix))]))
    return times[:1]


def serve(adapter, about, tasks, raw):
    """Obeys to the end of the input. `tasks`: classes by name; `raw` makes bytes of a list or of rows."""
    say("ready", f"{adapter}\t\t{about}")
    work = None
    for line in sys.stdin:
        command, _, rest = line.rstrip("\n").partition("\t")
        try:
            times = []
            if command == "prepare":
                work = None
                task, folder = rest.split("\t")
                name, *sizes = task.split()
                work = tasks[name](folder, *map(int, sizes))
                work.name = name
            elif command == "check":
                times = check(work, rest, raw)
            elif command == "run":
                times = [timed(work) for _ in range(int(rest))]
            elif command == "finish":
                work = None
            say("ok", *times)
        except Exception as error:  # whatever it is, the table names it
            say("fails", f"{type(error).__name__}: {error}")
