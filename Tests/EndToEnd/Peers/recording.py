"""Reads recordings without Tapline's and without Wireshark's code, and says in one line of JSON what is in them.

read FILE...            the files, one after the other, as one recording: its conversations with their bytes hashed
follow FILE STREAM ...  one stream of one file as tshark follows it; further words are tshark's options
"""

import hashlib
import ipaddress
import mmap
import os
import re
import struct
import subprocess
import sys

import peer

SECTION, INTERFACE, NAMES, STATISTICS, PACKET, SECRETS = 0x0A0D0D0A, 1, 4, 5, 6, 10
FIN, SYN, RST, ACK = 1, 2, 4, 16


class Cut(Exception):
    """The file ends in the middle of a block."""


class Flow:
    def __init__(self):
        self.count, self.missing, self.digest, self.next = 0, 0, hashlib.sha256(), None
        self.trouble = None

    def data(self, sequence, payload):
        if self.next is not None and sequence != self.next:
            gap = (sequence - self.next) & 0xFFFFFFFF
            if gap >= 1 << 31:
                self.trouble = f"goes back by {(1 << 32) - gap} after {self.count} bytes"
            self.missing += gap
        self.next = (sequence + len(payload)) & 0xFFFFFFFF
        self.count += len(payload)
        self.digest.update(payload)

    def facts(self):
        return {"count": self.count, "missing": self.missing, "sha256": self.digest.hexdigest()}


class Conversation:
    def __init__(self, client, server, interface):
        self.client, self.server, self.interface = client, server, interface
        self.up, self.down = Flow(), Flow()
        self.ends, self.is_reset, self.comments, self.last = 0, False, [], 0.0


class Recording:
    """What was read so far, over all files."""

    def __init__(self):
        self.open, self.all, self.files = {}, [], []

    def conversation(self, source, destination, flags, is_up, interface):
        pair = (source, destination) if is_up else (destination, source)
        if flags & (SYN | ACK) == SYN or pair not in self.open:
            self.open[pair] = Conversation(*pair, interface)
            self.all.append(self.open[pair])
        return self.open[pair]


def options(block, start):
    """The options of a block, from there on, as pairs of code and value."""
    found = []
    while start + 4 <= len(block):
        code, length = struct.unpack_from("<HH", block, start)
        if code == 0:
            break
        found.append((code, bytes(block[start + 4 : start + 4 + length])))
        start += 4 + (length + 3) // 4 * 4
    return found


class File:
    def __init__(self, path, recording):
        self.recording = recording
        self.facts = {
            "path": path, "size": os.path.getsize(path), "packets": 0, "dropped_segments": 0, "interfaces": [],
            "sections": 0, "statistics": [], "secrets": 0, "cut": False, "trouble": None, "application": None, "names": [],
        }
        recording.files.append(self.facts)
        if not self.facts["size"]:
            return
        with open(path, "rb") as file:
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.time = 0
        try:
            place = 0
            while place < len(memory):
                place += self.block(memory[place:])
        except Cut:
            self.facts["cut"] = True
        except (ValueError, struct.error, IndexError) as error:
            self.facts["trouble"] = f"at {place}: {error!r}"

    def block(self, rest):
        if len(rest) < 12:
            raise Cut
        kind, length = struct.unpack_from("<II", rest)
        if length < 12 or length % 4:
            raise ValueError(f"a block of {length} bytes")
        if length > len(rest):
            raise Cut
        if struct.unpack_from("<I", rest, length - 4)[0] != length:
            raise ValueError("the two lengths of a block differ")
        block = rest[8 : length - 4]
        if kind == PACKET:
            self.packet(block)
        elif kind == SECTION:
            self.facts["sections"] += 1
            self.count = 0
            self.facts["application"] = dict(options(block, 16)).get(4, b"").decode()
        elif kind == INTERFACE:
            self.count += 1
            self.facts["interfaces"].append(dict(options(block, 8)).get(2, b"").decode())
        elif kind == STATISTICS:
            values = dict(options(block, 12))
            number = lambda code: struct.unpack("<Q", values[code])[0] if code in values else None
            self.facts["statistics"].append({"received": number(4), "dropped": number(5)})
        elif kind == NAMES:
            self.facts["names"].append(bytes(block[8:]).split(b"\0")[0].decode(errors="replace"))
        elif kind == SECRETS:
            form, size = struct.unpack_from("<II", block)
            if form != 0x544C534B or not bytes(block[8 : 8 + size]).endswith(b"\n"):
                raise ValueError("secrets that are no lines of a key log")
            self.facts["secrets"] += 1
        else:
            raise ValueError(f"a block of kind {kind}")
        return length

    def packet(self, block):
        interface, high, low, captured, original = struct.unpack_from("<IIIII", block)
        if interface >= self.count:
            raise ValueError("a packet of an interface that is not there")
        if captured != original:
            raise ValueError("a packet that is not whole")
        time = high << 32 | low
        if time < self.time:
            raise ValueError(f"a packet goes back in time by {self.time - time} ns")
        self.time = time
        packet = block[20 : 20 + captured]
        about = options(block, 20 + (captured + 3) // 4 * 4)
        flags = [struct.unpack("<I", value)[0] & 3 for code, value in about if code == 2]
        self.facts["packets"] += 1
        self.facts["dropped_segments"] += sum(struct.unpack("<Q", value)[0] for code, value in about if code == 4)
        if packet[0] >> 4 == 4:
            start, addresses = (packet[0] & 15) * 4, (bytes(packet[12:16]), bytes(packet[16:20]))
        else:
            start, addresses = 40, (bytes(packet[8:24]), bytes(packet[24:40]))
        ports = struct.unpack_from(">HH", packet, start)
        sequence = struct.unpack_from(">I", packet, start + 4)[0]
        bits = packet[start + 13]
        payload = packet[start + (packet[start + 12] >> 4) * 4 :]
        # Inbound is what the client sent.
        is_up = flags == [1]
        name = self.facts["interfaces"][interface - self.count]
        one = self.recording.conversation((addresses[0], ports[0]), (addresses[1], ports[1]), bits, is_up, name)
        flow = one.up if is_up else one.down
        one.comments += [value.decode() for code, value in about if code == 1]
        one.last = time / 1e9
        one.is_reset |= bool(bits & RST)
        one.ends += bits & FIN
        if bits & SYN:
            flow.next = (sequence + 1) & 0xFFFFFFFF
        elif payload:
            flow.data(sequence, payload)
        elif bits & FIN and flow.next is not None:
            flow.data(sequence, b"")
        elif flow.next is None:
            flow.next = sequence


def number(comments, kind, key):
    return sum(
        int(match.group(1))
        for comment in comments
        if kind in comment
        for match in [re.search(rf" {key}=(\d+)", comment)]
        if match
    )


def read(paths):
    recording = Recording()
    for path in paths:
        File(path, recording)
    conversations = []
    for one in recording.all:
        text = " ".join(one.comments)
        ended = [comment for comment in one.comments if " closed_by=" in comment]
        conversations.append({
            "id": int((re.search(r" id=(\d+)", text) or [0, "0"])[1]),
            "client": address(one.client), "server": address(one.server), "interface": one.interface,
            "up": one.up.facts(), "down": one.down.facts(), "ends": one.ends, "isReset": one.is_reset,
            "gaps": number(one.comments, "not recorded", "dropped_bytes"),
            "recorded": number(ended, "ended", "recorded_bytes"), "dropped": number(ended, "ended", "dropped_bytes"),
            "reason": (re.search(r" reason=(\w+)", ended[0]) or [0, ""])[1] if ended else None,
            "trouble": one.up.trouble or one.down.trouble, "last": one.last, "comments": one.comments[:8],
        })
    peer.say(conversations=conversations, files=recording.files)


def address(pair):
    host, port = pair
    return f"[{ipaddress.ip_address(host)}]:{port}" if len(host) == 16 else f"{ipaddress.ip_address(host)}:{port}"


def follow(path, stream, *more):
    words = ["tshark", "-n", *more, "-r", path, "-q", "-z", f"follow,tcp,raw,{stream}"]
    flows = {False: Flow(), True: Flow()}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tshark:
        for line in tshark.stdout:
            if re.fullmatch(r"\t?[0-9a-f]+\n", line):
                flow, payload = flows[line[0] == "\t"], bytes.fromhex(line.strip())
                flow.data(flow.next or 0, payload)
    peer.say(status=tshark.returncode, first=flows[False].facts(), second=flows[True].facts())


{"read": lambda *paths: read(paths), "follow": follow}[sys.argv[1]](*sys.argv[2:])
