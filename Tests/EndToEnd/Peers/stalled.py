"""Pairs whose readers sleep while their sources offer far more than the relay accepts.

It listens as the upstream and says where. Lines of standard input:
    start ADDRESS PAIRS OFFERED   that many clients connect, and each sends up to OFFERED bytes, until none was
                                  accepted for two seconds; says the total, and the most that one of them sent
    read                          the clients end, the upstreams read everything; says how many pairs agree by their hashes
"""

import hashlib
import selectors
import socket
import sys
import time

import peer

QUIET = 2


class Pair:
    def __init__(self, address, listener, number):
        # Small buffers at both ends: what is held back is held back by the relay.
        self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        self.client.settimeout(peer.LIMIT)
        self.client.connect(peer.divide(address)[1])
        self.upstream, _ = listener.accept()
        self.client.setblocking(False)
        self.pieces, self.rest = peer.content(1 << 40, number), b""
        self.sent, self.digest = 0, hashlib.sha256()

    def send(self, offered):
        """Sends what there is room for at this moment. Returns whether anything was taken."""
        before = self.sent
        try:
            while self.sent < offered:
                self.rest = self.rest or next(self.pieces)
                count = self.client.send(self.rest[: offered - self.sent])
                self.digest.update(self.rest[:count])
                self.rest, self.sent = self.rest[count:], self.sent + count
        except BlockingIOError:
            pass
        return self.sent > before


def stall(pairs, offered):
    ready = selectors.DefaultSelector()
    for pair in pairs:
        ready.register(pair.client, selectors.EVENT_WRITE, pair)
    last = time.monotonic()
    while time.monotonic() - last < QUIET:
        for key, _ in ready.select(0.1):
            if key.data.send(offered):
                last = time.monotonic()
            if key.data.sent == offered:
                ready.unregister(key.fileobj)


def read(pairs):
    """One pair after the other; the relay keeps what the others have sent."""
    agreeing = 0
    for pair in pairs:
        pair.client.shutdown(socket.SHUT_WR)
        pair.upstream.settimeout(peer.LIMIT)
        digest = hashlib.sha256()
        while piece := pair.upstream.recv(1 << 18):
            digest.update(piece)
        agreeing += digest.digest() == pair.digest.digest()
        pair.upstream.close()
        pair.client.close()
    return agreeing


def main():
    peer.raise_descriptor_limit()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    listener.settimeout(peer.LIMIT)
    peer.say(listening=peer.describe(listener.getsockname()))
    pairs = []
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "start":
            pairs = [Pair(rest[0], listener, number) for number in range(int(rest[1]))]
            stall(pairs, int(rest[2]))
            sent = [pair.sent for pair in pairs]
            peer.say(stalled=len(pairs), total=sum(sent), most=max(sent))
        elif verb == "read":
            peer.say(agreeing=read(pairs))


main()
