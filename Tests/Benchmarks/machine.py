"""What the benchmarks need from the machine: a namespace, processes that always end, and what /proc says of them."""

import collections
import ctypes
import fcntl
import json
import os
import pathlib
import platform
import resource
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A run that gave no figure: the text says why."""


# The network namespace


def enter_namespace():
    """Moves this process, and so all that it starts from now on, to a new network namespace with loopback only.

    The namespace has no name and no mount: it is gone when the last process in it is.
    """
    if libc.unshare(CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack_from("16sH", request)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    write_setting("ipv4/tcp_congestion_control", "reno")
    # A relay uses a port for each new connection to the upstream and each rests in TIME_WAIT for a while. The ports
    # that anything listens on here are below this range.
    write_setting("ipv4/ip_local_port_range", "11000 65535")


def setting(name):
    return pathlib.Path("/proc/sys/net", name).read_text().strip()


def write_setting(name, value):
    pathlib.Path("/proc/sys/net", name).write_text(value)


def use_memory(size):
    """Writes a file of this size in the folder of the runs, at most a quarter of the free space, and removes it.

    A virtual machine gets a page of memory when it first uses it: writing a file then costs 13 times as much (measured on
    Firecracker: 2.4 s a GiB, then 0.17). The first recording would pay for all later ones.
    """
    piece = bytes(1 << 20)
    with tempfile.TemporaryFile(prefix="tapline-bench.") as file:
        facts = os.fstatvfs(file.fileno())
        free = min(facts.f_bavail * facts.f_frsize, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        for _ in range(min(size, free // 4) >> 20):
            file.write(piece)


def raise_descriptor_limit(wanted=65536):
    """Raises the limit of open files as far as it goes, for this process and what it starts; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            pass
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, max(wanted, 65536))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


# Processes


class Process:
    """A process that we started: it leads its own group, and ends when we do, however that happens."""

    open = []

    def __init__(self, arguments, log, cpus=None, piped=False, output=None):
        """`piped`: we talk to it. `output`: a file that its standard output goes to, instead of the log."""
        self.name = os.path.basename(arguments[0])
        self.log = pathlib.Path(log)

        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if cpus:
                os.sched_setaffinity(0, cpus)

        with open(self.log, "wb") as errors:
            self.child = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else errors if output is None else output,
                stderr=errors,
                start_new_session=True,
                preexec_fn=prepare,
            )
        self.pid = self.child.pid
        self.received = b""
        Process.open.append(self)

    def running(self):
        return self.child.poll() is None

    def complaint(self):
        """The end of what it wrote to standard error."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:])

    def read_line(self, timeout):
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ)
            while b"\n" not in self.received:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise Failed(f"{self.name}: no answer within {timeout:.0f} s {self.complaint()}")
                chunk = os.read(self.child.stdout.fileno(), 65536)
                if not chunk:
                    raise Failed(self.complaint() or f"{self.name} ended without a result")
                self.received += chunk
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    def read_json(self, timeout):
        return json.loads(self.read_line(timeout))

    def tell(self, line):
        try:
            self.child.stdin.write(line.encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.complaint() or f"{self.name} ended") from None

    def close_input(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass

    def end(self, timeout=5):
        """Ends it and what it started, softly, then not; does nothing when it has ended and been waited for."""
        if self in Process.open:
            Process.open.remove(self)
        if self.child.returncode is None:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + timeout
            # It has not been reaped: while it is a zombie, no other process can have its ID.
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            while os.waitid(os.P_PID, self.pid, flags) is None and time.monotonic() < deadline:
                time.sleep(0.005)
            self._signal(signal.SIGKILL)
            self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    @classmethod
    def end_all(cls):
        for process in reversed(list(cls.open)):
            process.end()


# What /proc says


def _stat(pid):
    text = pathlib.Path("/proc", str(pid), "stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def family(root):
    """The process and all that descend from it."""
    children = collections.defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children[int(_stat(name)[1])].append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _live_cpu_seconds(pid, stat):
    """Of one process. `stat` has it in hundredths of a second, which rounds a thousand small processes to nothing;
    `schedstat` in nanoseconds, but only of threads that still run."""
    exact = 0
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            exact += int(pathlib.Path(task.path, "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return max(exact / 1e9, sum(int(field) for field in stat[11:13]) / TICKS)


def cpu_seconds(root):
    """User and system time of a process, its threads, its descendants, and those of them that have ended."""
    total = 0.0
    for pid in family(root):
        try:
            stat = _stat(pid)
            total += _live_cpu_seconds(pid, stat) + sum(int(field) for field in stat[13:15]) / TICKS
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


class OtherLoad:
    """How many cores were busy, from its making on, with what we did not start (or were taken by a hypervisor)."""

    def __init__(self):
        self.began, self.busy, self.ours = time.monotonic(), self._busy(), cpu_seconds(os.getpid())

    @staticmethod
    def _busy():
        # user nice system idle iowait irq softirq steal; guest time is in user
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / TICKS

    def cores(self):
        ours = cpu_seconds(os.getpid()) - self.ours
        return max(0.0, (self._busy() - self.busy - ours) / (time.monotonic() - self.began))


Memory = collections.namedtuple("Memory", "anonymous resident")


def memory(root):
    """Bytes of a process and its descendants: private anonymous memory, and what is resident.

    A page that a child has not written since its fork is counted once. The file-backed part is the largest process's,
    since a master and its worker map the same files.
    """
    anonymous, files = 0, 0
    for pid in family(root):
        try:
            text = pathlib.Path("/proc", str(pid), "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        values = {}
        for line in text.splitlines()[1:]:
            key, value = line.split(":")
            values[key] = int(value.split()[0]) * 1024
        anonymous += values["Pss_Anon"]
        files = max(files, values["Rss"] - values["Anonymous"])
    return Memory(anonymous, anonymous + files)


# Descriptions


def output(*arguments, cwd=None):
    try:
        done = subprocess.run(
            arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=20
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def commit(folder):
    head = output("git", "rev-parse", "--short=10", "HEAD", cwd=folder)
    if head is None:
        return "unknown"
    return head + (" with changes" if output("git", "status", "--porcelain", cwd=folder) else "")


def describe():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }
