"""What is measured: one function a kind of load, each for one peer and one round."""

import contextlib
import dataclasses
import os
import pathlib
import socket
import statistics
import tempfile
import time

import secure
from machine import Failed, OtherLoad, Process, cpu_seconds, enter_namespace, memory
from peers import Wanted

GiB = 1 << 30
MB = 1_000_000


@dataclasses.dataclass(frozen=True)
class Metric:
    key: str
    title: str
    higher: bool = False  # is better
    digits: int = 1
    judged: bool = True  # held against the best peer in the verdict
    optional: bool = False  # only some peers have it: shown where one does, and without a ratio


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    run: object
    values: dict
    metrics: list
    needs_relay: bool = False
    connections: int = 1  # at a time
    relays: int = 1  # configured, and all of them used
    recorded: bool = False  # also by those that record
    key: str = ""  # of the certificate, where clients speak TLS: ecdsa or rsa


@dataclasses.dataclass
class Setting:
    """What stays the same for all runs."""

    loadgen: str
    seconds: float
    connections: int  # idle ones, and the limit that relays are given is above it
    namespace: bool
    relay_cpus: set  # None: where the scheduler puts it
    load_cpus: set
    first_port: int = 10000  # up to 10,999: above are the relays' own


class Run:
    """One peer in front of one fresh server, in a fresh namespace; all of it is gone at the end."""

    def __init__(self, setting, case, peer, number):
        self.setting = setting
        self.peer = peer
        self.relays = case.relays
        self.key = case.key
        self.port = setting.first_port + (1 + number if case.relays == 1 else 300)
        self.upstream = setting.first_port + 101 + number
        self.target = self.upstream if peer.name == "direct" else f"{self.port}+{case.relays}"
        self.relay = None
        self.companion = None
        self.passed = 0  # bytes, both ways
        self.others = 0.0  # cores busy with other things while we measured

    @contextlib.contextmanager
    def open(self, with_relay=True):
        with tempfile.TemporaryDirectory(prefix="tapline-bench.") as directory:
            self.directory = pathlib.Path(directory)
            if self.key:
                secure.certify(directory, self.key)
            if self.setting.namespace:
                enter_namespace()
            try:
                self.server = self.load("server", "serve", self.upstream)
                if self.server.read_line(10) != "ready":
                    raise Failed("the server did not start")
                if with_relay and self.peer.name != "direct":
                    # More than any case opens, so that no relay is slowed by its limit.
                    arguments = self.command(max(self.setting.connections, 1000) + 500)
                    self.start_companion()
                    self.relay = Process(arguments, self.directory / "relay.log", self.setting.relay_cpus)
                    self.wait_until_it_serves()
                yield self
                if self.relay and not self.relay.running():
                    raise Failed(f"{self.peer.name} ended by itself: {self.relay.complaint()}")
            finally:
                Process.end_all()
        if self.setting.namespace:
            time.sleep(0.2)  # the kernel takes the old namespace with its sockets apart in the background

    def start_companion(self):
        wanted = self.peer.companion(self.port, self.directory)
        if not wanted:
            return
        arguments, sign = wanted
        self.companion = Process(arguments, self.directory / "companion.log", self.setting.relay_cpus)
        deadline = time.monotonic() + 10
        while sign not in self.companion.log.read_text(errors="replace"):
            if not self.companion.running() or time.monotonic() > deadline:
                raise Failed(f"{self.companion.name} does not start: {self.companion.complaint()}")
            time.sleep(0.02)

    def lost(self):
        """Ends a relay that records, and returns what share of the bytes is missing, in percent, as a figure."""
        if not self.relay:
            return {}
        if not self.relay.running():
            raise Failed(f"{self.peer.name} ended by itself: {self.relay.complaint()}")
        for process in (self.relay, self.companion):
            if process:
                process.end()
        self.relay = self.companion = None
        lost = self.peer.lost(self.directory, self.passed)
        return {} if lost is None else {"lost": lost * 100}

    def command(self, connections):
        return self.peer.command(Wanted(self.port, self.upstream, self.directory, connections, self.relays))

    def load(self, name, *arguments):
        command = [self.setting.loadgen, *(str(argument) for argument in arguments)]
        return Process(command, self.directory / f"{name}.log", self.setting.load_cpus, piped=True)

    def probe(self, port):
        plain = socket.create_connection(("127.0.0.1", port), timeout=2)
        return secure.wrap(plain) if self.key else plain

    def wait_until_it_serves(self):
        message = b"TLBM" + b"E" + bytes(59)
        deadline = time.monotonic() + 10
        while True:
            if not self.relay.running():
                raise Failed(f"{self.peer.name} does not start: {self.relay.complaint()}")
            try:
                last = self.port + self.relays - 1
                with self.probe(last) as probe:
                    probe.sendall(message)
                    if probe.recv(64) == message:
                        break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Failed(f"{self.peer.name} does not serve: {self.relay.complaint()}")
            time.sleep(0.02)
        time.sleep(0.1)

    def cpu(self):
        """Seconds of the relay and of the program that records its traffic."""
        return sum(cpu_seconds(process.pid) for process in (self.relay, self.companion) if process)

    def client(self, *arguments):
        """Runs a client; returns its result, what the server says, and the relay's CPU seconds in between.

        The clock runs from when the client's connections are set up to when it has the last byte that it waits for.
        """
        client = self.load("client", *arguments)
        if client.read_line(60) != "ready":
            raise Failed("the client is not ready")
        others, before = OtherLoad(), self.cpu()
        client.tell("go")
        result = client.read_json(self.setting.seconds + 30)
        cpu = self.cpu() - before
        self.others = others.cores()
        client.close_input()
        self.server.close_input()
        return result, self.server.read_json(10), cpu

    def per(self, cpu, units):
        return cpu / units if self.relay and units else None


def bulk(run, direction, streams):
    words = ["tls-bulk", "127.0.0.1", run.target, direction] if run.key else [
        "bulk", "127.0.0.1", run.target, direction, streams,
    ]
    result, server, cpu = run.client(*words, run.setting.seconds)
    if result["errors"] or server["errors"]:
        raise Failed(f"{result['errors']} streams cut at the client, {server['errors']} at the server")
    ours = {stream["id"]: stream for stream in result["streams"]}
    theirs = {stream["id"]: stream for stream in server["streams"]}
    if len(theirs) != streams:
        raise Failed(f"{len(theirs)} of {streams} streams reached the server")
    for id, stream in ours.items():
        if stream["bytes"] != theirs[id]["bytes"]:
            counts = f"{stream['bytes']} at the client, {theirs[id]['bytes']} at the server"
            raise Failed(f"WRONG BYTES: stream {id}: {counts}")
        if stream["wrong"] or theirs[id]["wrong"]:
            raise Failed(f"WRONG BYTES: stream {id} is not what was sent")
    readers = ours if direction == "down" else theirs
    window = sum(stream["window_bytes"] for stream in readers.values())
    total = sum(stream["bytes"] for stream in readers.values())
    run.passed = total
    return {"rate": window * 8 / result["seconds"] / 1e9, "cpu": run.per(cpu, total / GiB)}


def messages(run, connections, size):
    words = ["tls-messages", "127.0.0.1", run.target, connections] if run.key else [
        "messages", "127.0.0.1", run.target, connections, size,
    ]
    result, server, cpu = run.client(*words, run.setting.seconds)
    if server["errors"]:
        raise Failed(f"{server['errors']} connections cut at the server")
    run.passed = result["total"] * size * 2
    return {
        "rate": result["messages"] / result["seconds"] / 1e3,
        "cpu": run.per(cpu * 1e6, result["total"]),
        "p50": result["p50_us"],
        "p99": result["p99_us"],
    }


def churn(run, slots):
    result, server, cpu = run.client("churn", "127.0.0.1", run.target, slots, run.setting.seconds)
    if result["failures"] or server["errors"]:
        raise Failed(
            f"{result['failures']} of {result['total'] + result['failures']} connections failed"
            f" ({result['first_failure']}), {server['errors']} cut at the server"
        )
    return {
        "rate": result["connections"] / result["seconds"],
        "cpu": run.per(cpu * 1e6, result["total"]),
        "p50": result["p50_us"],
        "p99": result["p99_us"],
    }


def idle(run):
    count = run.setting.connections
    before = memory(run.relay.pid)
    client = run.load("client", "tls-idle" if run.key else "idle", "127.0.0.1", run.target, count)
    if client.read_line(120) != "ready":
        raise Failed("the client is not ready")
    time.sleep(1)
    after = memory(run.relay.pid)
    cpu, began = run.cpu(), time.monotonic()
    time.sleep(max(run.setting.seconds, 1))
    busy = (run.cpu() - cpu) / (time.monotonic() - began)
    client.tell("go")
    result = client.read_json(60)
    if result["dead"]:
        raise Failed(f"{result['dead']} of {count} idle connections were dead when used again")
    return {"memory": (after.anonymous - before.anonymous) / count / 1024, "cpu": busy * 100}


def start(run, times):
    samples, others = [], OtherLoad()
    for _ in range(times):
        arguments = run.command(1000)  # the memory set aside for connections is small: the default of most packages
        command = [run.setting.loadgen, "start", "127.0.0.1", run.target, *arguments]
        starter = Process(command, run.directory / "start.log", None, piped=True)
        result = starter.read_json(20)
        if not result["served"]:
            raise Failed("the first message did not come back")
        time.sleep(0.2)
        used = memory(result["pid"])
        starter.close_input()
        starter.child.wait(15)
        starter.end()
        samples.append((result["accepting_ms"], result["serving_ms"], used.anonymous / MB, used.resident / MB))
    run.others = others.cores()
    return dict(zip(("accepting", "serving", "anonymous", "resident"), map(statistics.median, zip(*samples))))


# All cases. A metric that is not judged is shown with its ratio, and the verdict leaves it out.

_lost = Metric("lost", "% not recorded", digits=2, judged=False, optional=True)
_latency = [Metric("p50", "p50 µs", digits=0, judged=False), Metric("p99", "p99 µs", digits=0, judged=False)]


def _bulk(streams, direction):
    way = "server → client" if direction == "down" else "client → server"
    return Case(
        f"bulk{streams}-{direction}",
        f"bulk, {streams} stream{'s' if streams > 1 else ''}, {way}",
        bulk,
        {"streams": streams, "direction": direction},
        [Metric("rate", "Gbit/s", higher=True), Metric("cpu", "CPU s/GiB", digits=3), _lost],
        connections=streams,
        recorded=streams == 1 and direction == "down",
    )


def _messages(label, size, connections, relays=1):
    among = f" on {relays} relays" if relays > 1 else ""
    return Case(
        f"msg{label}-c{connections}" + (f"-r{relays}" if relays > 1 else ""),
        f"messages of {size:,} bytes, {connections:,} connection{'s' if connections > 1 else ''}{among}",
        messages,
        {"size": size, "connections": connections},
        [Metric("rate", "thousand/s", higher=True), Metric("cpu", "CPU µs/message", digits=2), *_latency, _lost],
        needs_relay=relays > 1,
        connections=connections,
        relays=relays,
        recorded=size == 64 and connections == 64,
    )


def _churn(relays=1):
    return Case(
        "churn" + (f"-r{relays}" if relays > 1 else ""),
        "new connections, 32 at a time" + (f", on {relays} relays" if relays > 1 else ""),
        churn,
        {"slots": 32},
        [Metric("rate", "connections/s", higher=True, digits=0), Metric("cpu", "CPU µs/connection"), *_latency],
        needs_relay=relays > 1,
        connections=32,
        relays=relays,
    )


def _start(relays=1):
    return Case(
        "start" + (f"-r{relays}" if relays > 1 else ""),
        "start" + (f" with {relays} relays" if relays > 1 else ""),
        start,
        {"times": 5},
        [
            Metric("accepting", "ms to accepting", judged=False),
            Metric("serving", "ms to the first echo", judged=False),
            Metric("anonymous", "MB private anonymous", judged=False),
            Metric("resident", "MB resident", judged=False),
        ],
        needs_relay=True,
        relays=relays,
    )


_idle = Case(
    "idle",
    "idle connections",
    idle,
    {},
    [
        Metric("memory", "KiB/connection", digits=2, judged=False),
        Metric("cpu", "% of a core, all of them", judged=False),
    ],
    needs_relay=True,
    connections=4000,
)

def _handshakes(kind, key, title):
    return Case(
        f"tls-{kind}-{key}",
        f"{kind} TLS handshakes, {title}, 8 at a time",
        secure.handshakes,
        {"kind": kind, "slots": 8},
        [Metric("rate", "handshakes/s", higher=True, digits=0), Metric("cpu", "CPU µs/handshake"), *_latency],
        needs_relay=True,
        connections=8,
        key=key,
    )


def _secure(case, name):
    """The same with TLS between the clients and the relay."""
    return dataclasses.replace(case, name=name, title=f"TLS: {case.title}", key="ecdsa", needs_relay=True, recorded=False)


_secure_cases = [
    *(_secure(_bulk(1, direction), f"tls-bulk-{direction}") for direction in ("down", "up")),
    _secure(_messages("64", 64, 64), "tls-msg64-c64"),
    _handshakes("full", "ecdsa", "ECDSA P-256"),
    _handshakes("full", "rsa", "RSA 2048"),
    _handshakes("resumed", "ecdsa", "ECDSA P-256"),
    _secure(_idle, "tls-idle"),
]

all_cases = [
    *(_bulk(streams, direction) for streams in (1, 8) for direction in ("down", "up")),
    *(_messages("64", 64, connections) for connections in (1, 64, 1000)),
    *(_messages("16k", 16384, connections) for connections in (1, 64, 1000)),
    _churn(),
    _idle,
    _start(),
    _messages("64", 64, 1000, relays=500),
    _churn(relays=500),
    _start(relays=500),
    *_secure_cases,
]

secure_cases = [case.name for case in _secure_cases]
recording_cases = [case.name for case in all_cases if case.recorded]
default_cases = ["bulk1-down", "bulk1-up", "bulk8-down", "msg64-c64", "msg16k-c64", "churn", "idle", "start"]


def run_once(setting, case, peer, number):
    """One peer's figures of one case, by the metrics' keys, and how many cores others used; raises Failed."""
    run = Run(setting, case, peer, number)
    with run.open(with_relay=case.run is not start):
        figures = case.run(run, **case.values)
        return figures | run.lost(), run.others
