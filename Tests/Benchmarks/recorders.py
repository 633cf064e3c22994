"""The relays that record what passes, each into files in the folder of its run, and say how much of it is missing."""

import json
import pathlib
import re

from machine import Failed, output
from peers import HAProxy, Socat, Tapline


class TaplineRecording(Tapline):
    """Into pcapng files of which only the newest stay; the end records say what is missing."""

    records = True

    def __init__(self, path, when_full):
        super().__init__(path)
        self.name = f"tapline-record-{when_full}"
        self.title = f"Tapline, record, {when_full}"
        self.when_full = when_full

    def takes(self, case):
        return case.recorded

    def command(self, wanted):
        path = pathlib.Path(wanted.directory, "tapline.yaml")
        path.write_text(
            f"""log: {{ level: error, format: json, access: records.json }}
workers: 1
shutdown: {{ drain: 1s }}
relays:
  - name: relay
    listen: {wanted.port}
    upstream: 127.0.0.1:{wanted.upstream}
    record: {{ directory: recordings, rotate: {{ size: 256MiB, keep: 1 }}, when_full: {self.when_full} }}
"""
        )
        return [self.program, "run", "--config", str(path)]

    def lost(self, directory, passed):
        records = [json.loads(line) for line in pathlib.Path(directory, "records.json").read_text().splitlines()]
        recorded, dropped = (sum(record[key] for record in records) for key in ("recorded_bytes", "dropped_bytes"))
        if recorded + dropped < passed:
            raise Failed(f"{passed - recorded - dropped} bytes are in no end record")
        return dropped / (recorded + dropped)


class HAProxyTcpdump(HAProxy):
    """HAProxy, and tcpdump that captures its clients' connections: half of what crosses the loopback. tcpdump has as much
    memory as Tapline, 16 MiB, and rotates as Tapline does; it says at its end how many packets it missed."""

    records = True

    def takes(self, case):
        return case.recorded

    def available(self):
        return super().available() and output("tcpdump", "--version") is not None

    def companion(self, port, directory):
        words = f"tcpdump -i lo -n -s 0 -B 16384 -Z root -w {directory}/capture.pcap -C 256 -W 2 tcp port {port}"
        return words.split(), "listening on lo"

    def lost(self, directory, passed):
        log = pathlib.Path(directory, "companion.log").read_text(errors="replace")
        counts = [re.search(rf"(\d+) packets? {word}", log) for word in ("received by filter", "dropped by kernel")]
        if None in counts:
            raise Failed(f"tcpdump gave no statistics: {log[-200:]}")
        received, dropped = (int(count[1]) for count in counts)
        return dropped / received if received else 0.0


class SocatRecording(Socat):
    """Into two files of bytes, one a direction, all connections mixed: not who said what when."""

    name = "socat-record"
    title = "socat -r -R"
    records = True

    def takes(self, case):
        return case.recorded

    def command(self, wanted):
        command = super().command(wanted)
        return [*command[:2], "-r", f"{wanted.directory}/up", "-R", f"{wanted.directory}/down", *command[2:]]

    def lost(self, directory, passed):
        recorded = sum(pathlib.Path(directory, name).stat().st_size for name in ("up", "down"))
        return max(0.0, 1 - recorded / passed)
