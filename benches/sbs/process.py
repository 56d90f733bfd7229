"""Starting programs on given cores, and what they cost."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


def cores():
    """The cores that we may use."""
    return sorted(os.sched_getaffinity(0))


def allow_many_descriptors():
    """As many as the system lets us have; what we start inherits that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pinned(core, argv):
    """`argv` on one core, or on a list of them; None leaves it where the kernel likes."""
    if core is None:
        return list(argv)
    wanted = ",".join(map(str, core)) if isinstance(core, (list, tuple)) else str(core)
    return ["taskset", "-c", wanted, *argv]


def resident(pid):
    """The resident memory of a process in bytes; None when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def children(pid):
    """The children of `pid`."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass
class Cost:
    """What a program cost, and what it said."""

    cpu: float
    wall: float
    peak: int
    code: int
    stdout: str
    stderr: str
    argv: list = field(default_factory=list)
    samples: list = field(default_factory=list)


def run(launcher, argv, core=None, env=None, cwd=None, timeout=600, sample_every=None):
    """Runs `argv` to its end by way of the small launcher; its Cost.

    With `sample_every`, resident memory is read so often, as (seconds, bytes)."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cost.json"
        command = [launcher, "launch", str(file), "--", *pinned(core, argv)]
        out, err = open(Path(directory) / "out", "w+"), open(Path(directory) / "err", "w+")
        with out, err:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True)
            samples = []
            if sample_every:
                watcher = threading.Thread(target=watch, args=(process, sample_every, samples))
                watcher.start()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
            if sample_every:
                watcher.join()
            out.seek(0), err.seek(0)
            stdout, stderr = out.read(), err.read()
        if not file.exists():
            return Cost(0.0, 0.0, 0, -9, stdout, stderr, list(argv), samples)
        cost = json.loads(file.read_text())
    return Cost(cost["user"] + cost["system"], cost["wall"], cost["peak"], cost["code"],
                stdout, stderr, list(argv), samples)


def watch(process, every, samples):
    """Adds (seconds, resident bytes) of what the launcher has started, until it ends."""
    begin = time.monotonic()
    while process.poll() is None:
        started = children(process.pid)
        bytes_ = resident(started[0]) if started else None
        if bytes_:
            samples.append((time.monotonic() - begin, bytes_))
        time.sleep(every)


def first_line(argv):
    """The first line that `argv` says; `?` when it cannot be run."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return lines[0] if lines else "?"


def which(*names):
    """The first of `names` that is installed."""
    return next((path for path in map(shutil.which, names) if path), None)
