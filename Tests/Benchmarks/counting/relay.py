"""A tapline that is counted: what its threads allocate, or every system call of its worker."""

import collections
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess
import time

ROWS = 256
ROW = struct.Struct("=5Q")  # `struct row` of allocations.c
PATIENCE = 60
"""Seconds that anything may take: a bound for what hangs, far from what a loaded machine needs."""


class Failed(Exception):
    """Nothing was counted: the text says why."""


Call = collections.namedtuple("Call", "name arguments result")


class Allocations(collections.namedtuple("Allocations", "made live size")):
    """How often memory was asked for, how many pieces of it were not given back, and how many bytes were asked for."""

    def __sub__(self, other):
        return Allocations(*(ours - theirs for ours, theirs in zip(self, other)))

    def __add__(self, other):
        return Allocations(*(ours + theirs for ours, theirs in zip(self, other)))


def compile_counter(folder):
    """The library that counts allocations, compiled into this folder."""
    library = pathlib.Path(folder, "allocations.so")
    source = pathlib.Path(__file__).with_name("allocations.c")
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-z,now"]
    subprocess.run([*compiler, *flags, "-o", str(library), str(source)], check=True)
    return library


def may_trace():
    """Why strace cannot trace here, or None: a container may forbid it."""
    try:
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed("strace is not installed: .ci/setup installs it") from None
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


class Relay:
    """One tapline with one worker, which relays 127.0.0.1:`port` to 127.0.0.1:`upstream`."""

    def __init__(self, tapline, folder, upstream, record, library=None):
        """With a library allocations are counted, else calls are: a traced relay is another one."""
        self.folder = pathlib.Path(folder)
        self.trace = None if library else self.folder / "calls"
        command = [str(tapline), "run", "--config", str(self.configuration(upstream, record))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPLINE_")}
        if self.trace:
            command = ["strace", "-f", "-qq", "-s", "24", "-e", "signal=none", "-o", str(self.trace), *command]
        else:
            path = self.folder / "allocations"
            path.write_bytes(bytes(ROWS * ROW.size))
            with open(path, "r+b") as file:
                self.table = mmap.mmap(file.fileno(), 0)
            environment |= {"TAPLINE_COUNTS": str(path), "LD_PRELOAD": str(library)}
        self.log = self.folder / "log"
        with open(self.folder / "records", "wb") as records, open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=records, stderr=log, env=environment)
        self.pid = self.process.pid
        try:
            self.port = self.wait_for_port()
            if self.trace:
                self.pid = self.only_child()
            self.worker = self.only_worker()
        except BaseException:
            self.end()
            raise

    def configuration(self, upstream, record):
        path = self.folder / "tapline.yaml"
        recording = f"    record: {{ directory: {self.folder}/recordings }}\n" if record else ""
        path.write_text(
            f"log: {{ format: json }}\nworkers: 1\nrelays:\n  - name: counted\n    listen: 127.0.0.1:0\n"
            f"    upstream: 127.0.0.1:{upstream}\n{recording}")
        return path

    def wait_for_port(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r'"listener":"127\.0\.0\.1:(\d+)"', self.log.read_text(errors="replace"))
            if found:
                return int(found[1])
            time.sleep(0.01)
        raise Failed(f"tapline does not start: {self.log.read_text(errors='replace').strip()[-400:]}")

    def only_child(self):
        tracer = self.process.pid
        children = pathlib.Path("/proc", str(tracer), "task", str(tracer), "children").read_text().split()
        if len(children) != 1:
            raise Failed(f"strace has {len(children)} children, not one")
        return int(children[0])

    def only_worker(self):
        names = {task.name: (task / "comm").read_text() for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir()}
        workers = [int(thread) for thread, name in names.items() if name.startswith("worker-")]
        if len(workers) != 1:
            raise Failed(f"{len(workers)} threads of tapline are called worker-, not one")
        return workers[0]

    def end(self):
        """Ends it softly and waits: only then its trace is whole."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # What was counted

    def allocations(self, elsewhere=False):
        """Of the worker, or of all other threads together, until now."""
        sum = Allocations(0, 0, 0)
        for thread, taken, grown, freed, size in ROW.iter_unpack(self.table):
            if thread and (thread == self.worker) != elsewhere:
                sum += Allocations(taken + grown, taken - freed, size)
        return sum

    def settle(self):
        """Waits until nothing is allocated or freed any more: other threads come later than the worker."""
        deadline = time.monotonic() + PATIENCE
        before, since = None, time.monotonic()
        while time.monotonic() - since < 0.4:
            now = self.table[:]
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() > deadline:
                raise Failed(f"tapline still allocates or frees memory {PATIENCE} s after the last connection")
            time.sleep(0.02)

    def calls(self):
        """The worker's system calls in order, once it has ended. Waits that their time ended are left out: there are as
        many as the counting took time."""
        found, begun = [], ""
        prefix = f"{self.worker} "
        for line in self.trace.read_text(errors="replace").splitlines():
            if not line.startswith(prefix):
                continue
            text = line[len(prefix):].strip()
            # Another thread's call stands between a call's begin and its end.
            if text.endswith("<unfinished ...>"):
                begun = text.removesuffix("<unfinished ...>")
                continue
            if text.startswith("<... "):
                text = begun + text[text.index("resumed>") + len("resumed>"):]
            match = re.match(r"(\w+)\((.*)\)\s+= (.+)$", text)
            if match:
                call = Call(*match.groups())
                if not (call.name in ("epoll_wait", "epoll_pwait") and call.result == "0"):
                    found.append(call)
        return found
