"""A peer whose sockets are driven by lines of JSON: one command per line, one answer per line, several commands at once.
It ends with its standard input."""

import errno
import fcntl
import hashlib
import json
import os
import socket
import struct
import sys
import termios
import threading
import time

import peer

sockets = {}
pipes = []
output = threading.Lock()


def listen(name, command):
    sockets[name] = peer.listen(command["address"])
    return {"address": peer.describe(sockets[name].getsockname())}


def accept(name, command):
    listener = sockets[command["from"]]
    listener.settimeout(peer.LIMIT)
    sockets[name], _ = listener.accept()
    sockets[name].settimeout(peer.LIMIT)
    return {}


class AlreadyReset:
    """What is left of a connection that was reset before connect had returned."""

    def recv(self, _):
        raise ConnectionResetError(errno.ECONNRESET, "reset at once")

    def close(self):
        pass


def connect(name, command):
    try:
        sockets[name] = peer.connect(command["address"], host=command.get("from"))
    except ConnectionResetError:
        sockets[name] = AlreadyReset()
        return {"address": ""}
    return {"address": peer.describe(sockets[name].getsockname())}


def await_listener(name, command):
    # Nothing tells when a relay that says nothing listens.
    end = time.monotonic() + peer.LIMIT
    while True:
        try:
            peer.connect(command["address"]).close()
            return {}
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def await_refusal(name, command):
    # Nor when a listener is closed. The kernel's table says so without a connection that the relay might still take.
    # It writes an IPv4 address as a number of this machine. Others may have the same port on another address.
    host, port = command["address"].rsplit(":", 1)
    local = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{int(port):04X}"
    end = time.monotonic() + peer.LIMIT
    while True:
        with open("/proc/self/net/tcp") as table:
            rows = [row.split() for row in table]
        if not any(row[1] == local and row[3] == "0A" for row in rows):
            return {}
        if time.monotonic() > end:
            raise TimeoutError("a process still listens")
        time.sleep(0.01)


def send(name, command):
    digest = hashlib.sha256()
    if "hex" in command:
        pieces = [bytes.fromhex(command["hex"])]
    else:
        pieces = [command["text"].encode()] if "text" in command else peer.content(int(command["count"]))
    for piece in pieces:
        sockets[name].sendall(piece)
        digest.update(piece)
    return {"sha256": digest.hexdigest()}


def fill(name, command):
    """Sends until nothing was accepted for a number of seconds, two by default."""
    connection, count, digest = sockets[name], 0, hashlib.sha256()
    connection.settimeout(float(command.get("quiet", 2)))
    try:
        for piece in peer.content(1 << 40):
            while piece:
                sent = connection.send(piece)
                digest.update(piece[:sent])
                count += sent
                piece = piece[sent:]
    except TimeoutError:
        connection.settimeout(peer.LIMIT)
    return {"count": count, "sha256": digest.hexdigest()}


def receive(name, command):
    wanted = int(command["count"]) if "count" in command else None
    digest, count, start, end = hashlib.sha256(), 0, b"", None
    while wanted is None or count < wanted:
        try:
            piece = sockets[name].recv(min(1 << 18, wanted - count) if wanted else 1 << 18)
        except OSError as error:
            end = {errno.ECONNRESET: "reset"}.get(error.errno) or errno.errorcode.get(error.errno, str(error))
            break
        if not piece:
            end = "fin"
            break
        digest.update(piece)
        count += len(piece)
        start += piece[: 200 - len(start)]
    answer = {"count": count, "sha256": digest.hexdigest(), "end": end, "text": start.decode(errors="replace")}
    if wanted and count < wanted:
        answer["error"] = f"{count} of {wanted} bytes came, then {end}"
    return answer


def flush(name, command):
    # No event tells when everything is acknowledged (SIOCOUTQ is what TIOCOUTQ is for a socket).
    end = time.monotonic() + peer.LIMIT
    while struct.unpack("i", fcntl.ioctl(sockets[name], termios.TIOCOUTQ, bytes(4)))[0] > 0:
        if time.monotonic() > end:
            raise TimeoutError("the other side does not acknowledge")
        time.sleep(0.002)
    return {}


def finish(name, command):
    sockets[name].shutdown(socket.SHUT_WR)
    return {}


def reset(name, command):
    peer.reset(sockets.pop(name))
    return {}


def close(name, command):
    sockets.pop(name).close()
    return {}


def hold_pipes(name, command):
    try:
        while len(pipes) < int(command["count"]):
            pipes.append(os.pipe())
    except OSError:
        pass
    return {"count": len(pipes)}


COMMANDS = {
    "listen": listen, "accept": accept, "connect": connect, "await": await_listener, "refused": await_refusal, "send": send, "fill": fill, "receive": receive,
    "flush": flush, "finish": finish, "reset": reset, "close": close, "pipes": hold_pipes,
}


def carry_out(command):
    try:
        answer = COMMANDS[command["do"]](command["name"], command)
    except (OSError, KeyError) as error:
        answer = {"error": repr(error)}
    with output:
        peer.say(id=int(command["id"]), done=True, **answer)


peer.raise_descriptor_limit()
for line in sys.stdin:
    threading.Thread(target=carry_out, args=(json.loads(line),), daemon=True).start()
