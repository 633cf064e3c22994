"""The generator, `flows/`, from this side: compiled, started and told what to play; every line it says is read."""

import json
import os
import pathlib
import queue
import subprocess
import threading

from machine import Failed, Process

here = pathlib.Path(__file__).resolve().parent


def build(folder=here / "flows"):
    """Compiles a folder's program, the generator's by default, into .build-chaos when a source is newer than it."""
    program = here.parent.parent / ".build-chaos" / folder.name
    sources = sorted(folder.glob("*.c"))
    inputs = [*sources, *folder.glob("*.h")]
    if not program.exists() or program.stat().st_mtime < max(path.stat().st_mtime for path in inputs):
        program.parent.mkdir(exist_ok=True)
        compiler = os.environ.get("CC", "cc").split()
        flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]
        # Written under another name and renamed: several may build at once.
        temporary = program.with_suffix(f".{os.getpid()}")
        subprocess.run([*compiler, *flags, "-o", str(temporary), *map(str, sources)], check=True)
        temporary.rename(program)
    return str(program)


class Generator:
    """`flows play`: both ends of every flow."""

    def __init__(self, folder, seed, at_once, patience=40):
        self.seed, self.folder, self.patience = seed, pathlib.Path(folder), patience
        self.pipe = self.folder / "records"
        os.mkfifo(self.pipe)
        self.troubles, self.recorded, self.others, self.played = [], [], 0, 0
        self.done = queue.Queue()
        words = ["play", "--records", self.pipe, "--folder", folder, "--seed", seed, "--at-once", at_once,
                 "--patience", patience]
        self.process = Process([build(), *map(str, words)], self.folder / "flows.log", piped=True)
        first = self.process.read_line(20)
        self.slots = json.loads(first)["slots"]
        # Opened when the other end is, so this does not wait; tapline's standard output.
        self.records = open(self.pipe, "wb", buffering=0)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.child.stdout:
            fact = json.loads(line)
            if "trouble" in fact:
                self.troubles.append(fact)
            elif "recorded" in fact:
                self.recorded.append(fact)
            elif "done" in fact:
                self.done.put(fact)
            else:
                self.played = fact["played"]
        self.done.put(None)

    def connect(self, tapline):
        """Tells it where the relays listen."""
        self.records.close()
        for slot in self.slots:
            self.process.tell(f"at {slot['relay']} {tapline.addresses[slot['relay']]}")

    def begin(self, *words):
        self.process.tell(" ".join(map(str, words)))

    def result(self, timeout):
        """What came of the job, once it is done."""
        try:
            fact = self.done.get(timeout=timeout)
        except queue.Empty:
            raise Failed(f"the flows are not done after {timeout:.0f} s") from None
        if fact is None:
            raise Failed(f"the generator ended: {self.process.complaint()}")
        return fact

    def take_recorded(self):
        """The recorded flows since the last call."""
        taken, self.recorded = self.recorded, []
        return taken

    def command(self, flow):
        """How to play one flow again."""
        return f"Tests/Chaos/run --seed {self.seed} --only {flow}"
