"""The loads other than flows: held connections (`flows hold`), and short ones (the benchmarks' load generator)."""

import pathlib
import socket

from generator import build
from machine import Failed, Process

LOADGEN = pathlib.Path(__file__).resolve().parent.parent / "Benchmarks" / "loadgen"


class Holder:
    """Both ends of held connections."""

    def __init__(self, folder):
        self.process = Process([build(), "hold"], pathlib.Path(folder, "hold.log"), piped=True)
        self.upstream = self.process.read_json(20)["listening"]
        self.address = None

    def ask(self, words, patience=300):
        self.process.tell(words)
        return self.process.read_json(patience)

    def open(self, count):
        """Opens this many more."""
        if self.ask(f"open {self.address} {count}")["wrong"]:
            raise Failed("a message did not come back as it was")

    def begin_streams(self, size, milliseconds):
        self.process.tell(f"stream {size} {milliseconds}")

    def rest(self):
        """Ends the streams; returns the number of bytes, and of reads with wrong ones."""
        answer = self.ask("rest")
        return answer["bytes"], answer["wrong"]

    def close(self):
        """Ends all connections; returns how many of them failed."""
        return self.ask("close")["wrong"]


class Churn:
    """Short connections, 32 at once, and the upstream that answers them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.program = build(LOADGEN)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.server = Process([self.program, "serve", str(port)], self.folder / "serve.log", piped=True)
        if self.server.read_line(20) != "ready":
            raise Failed("the churn's server did not start")
        self.upstream = f"127.0.0.1:{port}"

    def run(self, address, seconds):
        """Some seconds of it."""
        host, port = address.rsplit(":", 1)
        client = Process([self.program, "churn", host, port, "32", str(seconds)], self.folder / "churn.log", piped=True)
        try:
            if client.read_line(20) != "ready":
                raise Failed("the churn did not start")
            client.tell("go")
            return client.read_json(seconds + 60)
        finally:
            client.close_input()
            client.end()
