"""What a process holds over time: a sample every so often, from /proc and from Tapline's own metrics."""

import collections
import os
import pathlib
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """How many descriptors of each kind are open."""
    kinds = {"sockets": 0, "pipes": 0, "files": 0, "others": 0}
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue  # closed in the meantime
        kind = ("sockets" if target.startswith("socket:") else "pipes" if target.startswith("pipe:")
                else "files" if target.startswith("/") else "others")
        kinds[kind] += 1
    return kinds


def private_bytes(pid):
    """Memory that is the process's own and written to (Private_Dirty)."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Private_Dirty")


def status(pid):
    """Resident bytes and threads."""
    values = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(values["VmRSS"].split()[0]) * 1024, int(values["Threads"])


def thread_names(pid):
    """How many threads there are of each name."""
    names = collections.Counter()
    for entry in os.scandir(f"/proc/{pid}/task"):
        try:
            names[pathlib.Path(entry.path, "comm").read_text().strip()] += 1
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended in the meantime
    return names


def cpu_seconds(pid):
    """User and system time of all threads."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Sampler(threading.Thread):
    """Takes samples until it is stopped. `is_quiet` leaves the metrics out: asking costs the process something."""

    def __init__(self, tapline, period):
        super().__init__(daemon=True)
        self.tapline, self.period = tapline, period
        self.samples, self.marks = [], []
        self.is_quiet, self.trouble = False, None
        self.began = time.monotonic()
        self._over = threading.Event()

    def mark(self, phase):
        """A phase begins."""
        self.marks.append((time.monotonic() - self.began, phase))

    def run(self):
        before, cpu = time.monotonic(), cpu_seconds(self.tapline.pid)
        open_connections = recorders = 0
        while not self._over.wait(self.period):
            try:
                now, used = time.monotonic(), cpu_seconds(self.tapline.pid)
                resident, threads = status(self.tapline.pid)
                if not self.is_quiet:
                    metrics = self.tapline.metrics()
                    open_connections = self.tapline.total("tapline_connections_open", metrics)
                    recorders = self.tapline.total("tapline_recording", metrics)
                self.samples.append({
                    "time": now - self.began, "cpu": (used - cpu) / (now - before) * 100,
                    "private": private_bytes(self.tapline.pid), "resident": resident, "threads": threads,
                    "connections": open_connections, "recordings": recorders, **descriptors(self.tapline.pid),
                })
                before, cpu = now, used
            except Exception as error:
                # The phases tell whether tapline still runs; one sample that failed is one less.
                self.trouble = repr(error)

    def stop(self):
        self._over.set()
        self.join(30)
