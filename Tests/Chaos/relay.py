"""The one tapline that the flows pass through: its configuration, its admin API, and how it is disturbed."""

import http.client
import json
import os
import pathlib
import random
import socket
import threading
import time

from machine import Failed, Process

# Each lane of the generator (flows/plan.c): what the relay listens on, and what else its settings are.
LISTEN = {"six": "[::1]:0", "from-unix": "unix:{folder}/{name}.sock"}
SETTINGS = {
    "recorded": {"record": {"directory": "{recordings}", "rotate": {"size": "64MiB", "keep": 0}}},
    "whole": {"record": {"directory": "{recordings}", "when_full": "block", "buffer": "1MiB"}},
    "bounded": {"timeouts": {"half_close": "1s"}},
}


class Relays:
    """The configuration, and what may change in it while it is in force. JSON is YAML too."""

    def __init__(self, folder, slots, more=()):
        self.folder, self.slots, self.more = pathlib.Path(folder), slots, list(more)
        self.recordings = "recordings"
        self.path = self.folder / "tapline.yaml"

    def relay(self, slot, number):
        lane, name = slot["lane"], slot["relay"]
        listen = LISTEN.get(lane, "127.0.0.1:0").format(folder=self.folder, name=name)
        entry = {"name": name, "listen": listen, "upstream": slot["upstream"]}
        entry |= json.loads(json.dumps(SETTINGS.get(lane, {})).replace("{recordings}", self.recordings))
        if lane in ("plain", "six", "to-unix") and number % 3 == 1:
            entry["timeouts"] = {"idle": f"{600 + number % 100}s"}
        if lane in ("plain", "from-unix") and number % 2 == 1:
            entry["max_connections"] = 1000 + number % 100
        if lane == "recorded":
            # A recording whose settings change while it runs.
            entry["record"]["buffer"] = f"{1 + number // 5 % 3}MiB"
        return entry

    def text(self, number=0):
        """The configuration after a number of changes."""
        relays = [self.relay(slot, number) for slot in self.slots] + self.more
        if number % 4 == 1:
            relays.append({"name": f"guest-{number // 4}", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"})
        whole = {
            "admin": {"listen": f"unix:{self.folder}/admin.sock"},
            "log": {"format": "json", "level": "info" if number % 2 else "notice"},
            "shutdown": {"drain": "5s"},
            "relays": relays,
        }
        return json.dumps(whole, indent=1)

    def wrong_text(self, number):
        """A configuration that must be refused."""
        whole = json.loads(self.text(number))
        mistakes = [
            lambda: whole.update(bogus=1),
            lambda: whole["relays"][0].update(upstream="nowhere"),
            lambda: whole["relays"][0].update(timeouts={"idle": "5"}),
            lambda: whole["relays"].append(dict(whole["relays"][0])),
            lambda: whole.update(relays=[]),
        ]
        mistakes[number % len(mistakes)]()
        return json.dumps(whole, indent=1)

    def write(self, text):
        """As an editor does: writes another file, and renames it."""
        temporary = self.path.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(self.path)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Tapline:
    """A tapline that runs. Its end records go to `records`, its diagnostics to a log."""

    def __init__(self, binary, relays, records, patience=60):
        self.relays, self.patience = relays, patience
        self.log = relays.folder / "tapline.log"
        relays.write(relays.text())
        self.process = Process([binary, "run", "--config", str(relays.path)], self.log, output=records)
        self.pid = self.process.pid
        self.addresses = self._wait_for_listeners(len(relays.slots) + len(relays.more))

    def _wait_for_listeners(self, count):
        deadline = time.monotonic() + self.patience
        while True:
            found = {}
            for line in self.log.read_text().splitlines():
                if " listens on " in line and line.startswith("{"):
                    entry = json.loads(line)
                    found[entry["relay"]] = entry["listener"]
            if len(found) >= count:
                return found
            if not self.process.running() or time.monotonic() > deadline:
                raise Failed(f"tapline does not start: {self.process.complaint()}")
            time.sleep(0.02)

    def ask(self, method, path, body=None):
        """The status and the text of an answer of the admin API."""
        connection = UnixConnection(self.relays.folder / "admin.sock", self.patience)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        """Every sample of /metrics, by its name with its labels."""
        status, text = self.ask("GET", "/metrics")
        if status != 200:
            raise Failed(f"/metrics answers {status}")
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in samples}

    def total(self, name, metrics=None):
        """A metric's sum over all relays."""
        metrics = self.metrics() if metrics is None else metrics
        return sum(value for key, value in metrics.items() if key.split("{")[0] == name)

    def stop(self):
        """Ends it in order."""
        self.process.child.terminate()
        if (status := self.process.child.wait(timeout=self.patience)) != 0:
            raise Failed(f"tapline ended with {status}: {self.process.complaint()}")

    def complaints(self):
        """The errors in its log, without those of refused reloads."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        others = [line for line in self.log.read_text().splitlines() if not line.startswith("{")]
        wrong = [line for line in lines if line["level"] in ("error", "critical")]
        return others + [line["message"] for line in wrong if not line["message"].startswith("reload rejected")]


class Disturber(threading.Thread):
    """Changes the configuration, begins and ends recordings, and kills connections, while flows pass."""

    def __init__(self, tapline, seed, pause, most=None, with_reloads=True):
        super().__init__(daemon=True)
        self.tapline, self.pause, self.most, self.with_reloads = tapline, pause, most, with_reloads
        self.chance = random.Random(seed)
        self.reloads = self.refused = self.taps = self.killed = 0
        self.failures = []
        self.is_over, self.is_done = threading.Event(), threading.Event()

    def run(self):
        try:
            number = 0
            while not self.is_over.wait(self.pause):
                number += 1
                if self.with_reloads:
                    self.reload(number)
                if number % 3 == 0:
                    self.tap()
                if number % 2 == 0:
                    self.kill()
                if self.most is not None and self.reloads + self.refused >= self.most:
                    break
        except Exception as error:
            self.failures.append(f"the admin API: {error!r}")
        self.is_done.set()

    def stop(self):
        self.is_over.set()
        self.join(120)
        if self.is_alive():
            self.failures.append("a change takes longer than two minutes")

    def reload(self, number):
        relays = self.tapline.relays
        is_wrong = number % 4 == 3
        relays.write(relays.wrong_text(number) if is_wrong else relays.text(number))
        status, text = self.tapline.ask("POST", "/v1/reload")
        wanted = 422 if is_wrong else 200
        if status != wanted:
            self.failures.append(f"reload {number}: {status} instead of {wanted}: {text[:300]}")
        self.refused += is_wrong
        self.reloads += not is_wrong

    def tap(self):
        names = [slot["relay"] for slot in self.tapline.relays.slots if slot["lane"] == "tapped"]
        if not names:
            return
        name = self.chance.choice(names)
        method = self.chance.choice(["POST", "DELETE"])
        status, text = self.tapline.ask(method, f"/v1/relays/{name}/recording")
        if status != 200:
            self.failures.append(f"{method} recording of {name}: {status}: {text[:300]}")
        self.taps += 1

    def kill(self):
        names = [slot["relay"] for slot in self.tapline.relays.slots if slot["lane"] == "hunted"]
        if not names:
            return
        status, text = self.tapline.ask("GET", f"/v1/connections?relay={self.chance.choice(names)}")
        if status != 200:
            self.failures.append(f"connections: {status}: {text[:300]}")
            return
        for connection in json.loads(text)["connections"]:
            # 404: it has ended by itself since.
            status, text = self.tapline.ask("DELETE", f"/v1/connections/{connection['id']}")
            if status not in (200, 202, 204, 404):
                self.failures.append(f"kill: {status}: {text[:300]}")
            self.killed += status != 404
