"""What the peers have in common: addresses, sockets, bytes that follow from their number, and how they talk."""

import hashlib
import json
import resource
import socket
import struct
import sys

# Nothing here takes longer, unless it hangs.
LIMIT = 60


def say(**facts):
    """Tells the test something: one line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def divide(address):
    """The family and the address in Python's form, of HOST:PORT, [IPv6]:PORT, [IPv6%ZONE]:PORT, unix:PATH or unix:@NAME."""
    if address.startswith("unix:@"):
        return socket.AF_UNIX, "\0" + address[len("unix:@"):]
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[len("unix:"):]
    host, port = address.rsplit(":", 1)
    if "%" in host:
        # Two values would lose the zone.
        return socket.AF_INET6, socket.getaddrinfo(host[1:-1], int(port), socket.AF_INET6, socket.SOCK_STREAM)[0][4]
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def describe(name):
    """The address as Tapline writes it."""
    if isinstance(name, (str, bytes)):
        return "unix:" + (name if isinstance(name, str) else name.decode()).replace("\0", "@", 1)
    zone = f"%{socket.if_indextoname(name[3])}" if len(name) > 3 and name[3] else ""
    return f"[{name[0]}{zone}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def listen(address="127.0.0.1:0", backlog=4096):
    family, name = divide(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family != socket.AF_UNIX:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(name)
    listener.listen(backlog)
    return listener


def connect(address, limit=LIMIT, host=None):
    """Connects, from the address `host` if it is named."""
    family, name = divide(address)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(limit)
    if host:
        client.bind((host, 0))
    client.connect(name)
    return client


def reset(connection):
    """Closes with a reset (SO_LINGER 0)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def content(count, salt=0):
    """That number of bytes, in pieces: they depend on their place, so that a swapped or lost piece shows."""
    block = b"".join(hashlib.sha256(struct.pack("<QQ", salt, number)).digest() for number in range(2048))
    place = 0
    while count > 0:
        piece = (struct.pack("<Q", place) + block)[:count]
        yield piece
        count -= len(piece)
        place += 1
