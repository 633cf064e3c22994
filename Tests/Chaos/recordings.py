"""Whether a recording holds what passed: every file read with `tapline show`, every byte compared."""

import base64
import collections
import json
import pathlib
import subprocess

PERIOD = 1048573


class Contents:
    """What flows carry: a period with a start of its own for each direction of each (flows/common.c)."""

    def __init__(self, generator, seed):
        table = subprocess.run([generator, "table", str(seed)], check=True, stdout=subprocess.PIPE).stdout
        self.table = table * 3

    def piece(self, start, offset, count):
        place = (start + offset) % PERIOD
        if count <= 2 * PERIOD:
            return self.table[place : place + count]
        return (self.table[place : place + PERIOD] * (count // PERIOD + 1))[:count]

    def find(self, piece):
        """Where a piece may be from, as a start; -1 when it is from nowhere."""
        return self.table.find(piece)


def check(tapline, contents, folders, recorded, sample=12):
    """Compares all the recordings of some folders with the recorded flows. Returns the troubles, how many connections
    and bytes there were, and how many of them `show --format raw` was asked for."""
    by_id = {fact["id"]: fact for fact in recorded}
    found, troubles, where = collections.defaultdict(dict), [], {}
    # Their names hold the time of their making, after the relay's.
    files = [path for folder in folders for path in pathlib.Path(folder).glob("*.pcapng")]
    for path in sorted(files, key=lambda path: path.name):
        with subprocess.Popen([tapline, "show", str(path), "--format", "json"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as show:
            for line in show.stdout:
                piece = json.loads(line)
                where.setdefault(piece["id"], set()).add(path)
                take(found, troubles, contents, by_id.get(piece["id"]), path, piece)
            complaint = show.stderr.read().decode(errors="replace").strip()
        # Standard error reports missing bytes, which are compared below.
        if show.returncode != 0 and path.exists():  # one that nothing was recorded in is removed
            troubles.append(f"show {path.name}: {show.returncode}: {complaint[-300:]}")
    bytes_right = 0
    for id, fact in by_id.items():
        held = sum(flow.bytes for flow in found[id].values())
        bytes_right += held
        if held != fact["bytes"]:
            troubles.append(f"flow {fact['recorded']}, connection {id} of {fact['relay']}: {held} bytes are in the "
                            f"recording, and the record says {fact['bytes']}")
    whole = [fact for fact in by_id.values()
             if fact["dropped"] == 0 and len(where.get(fact["id"], ())) == 1 and "tapped" not in fact["relay"]]
    for fact in whole[:sample]:
        for number, direction in enumerate(("up", "down")):
            raw = subprocess.run(
                [tapline, "show", str(*where[fact["id"]]), "--connection", str(fact["id"]), "--format", "raw",
                 "--flow", direction], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if raw.returncode != 0 or raw.stdout != contents.piece(fact["starts"][number], 0, fact[direction]):
                flow = f"flow {fact['recorded']}, connection {fact['id']}"
                troubles.append(f"{flow}: --format raw --flow {direction} gives "
                                f"{len(raw.stdout)} bytes, not the {fact[direction]} that passed")
    return troubles, len(by_id), bytes_right, len(whole[:sample])


def take(found, troubles, contents, fact, path, piece):
    """One piece of one flow, as `show` says it."""
    if fact is None:
        troubles.append(f"connection {piece['id']} is in a recording, and is none that was recorded")
        return
    number = 0 if piece["flow"] == "up" else 1
    data = base64.b64decode(piece["data"])
    is_tapped = "tapped" in fact["relay"]
    # A recording that began in the middle, perhaps more than once.
    flow = found[fact["id"]].setdefault((number, path if is_tapped else None), Flow(fact["starts"][number]))
    if is_tapped and not flow.is_placed:
        if not flow.place(contents, data, piece.get("missing", 0)):
            return
        data, piece = flow.waiting, {"flow": piece["flow"]}
    if data and data != contents.piece(flow.start, flow.offset, len(data)):
        troubles.append(f"flow {fact['recorded']}, connection {fact['id']} of {fact['relay']}: other bytes are "
                        f"recorded than passed {piece['flow']}, within {len(data)} from {flow.offset} on")
    flow.offset += len(data) + piece.get("missing", 0)
    flow.bytes += len(data)


class Flow:
    """One flow of a conversation as far as it was read."""

    def __init__(self, start):
        self.start, self.offset, self.bytes = start, 0, 0
        self.waiting, self.is_placed = b"", False

    def place(self, contents, data, missing):
        """Finds where a recording began: that the bytes say, once there are some. False until then."""
        if missing and not self.waiting:
            return False
        self.waiting += data
        if len(self.waiting) < 16 and not missing:
            self.bytes = len(self.waiting)
            return False
        place = contents.find(self.waiting)
        self.offset, self.bytes, self.is_placed = (place - self.start) % PERIOD if place >= 0 else 0, 0, True
        return True
