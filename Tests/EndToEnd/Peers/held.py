"""Connections that stream first, and are then held.

It listens as the upstream and says where. Lines of standard input:
    hold ADDRESS COUNT BYTES   that many clients connect; each receives BYTES from its upstream, eight at a time, and
                               sends a message back; all stay open. Says how many received what was sent
    close                      all of them end in order, the upstream first; says how many ends came
"""

import concurrent.futures
import hashlib
import sys
import threading

import peer

MESSAGE = b"Thank you."
AT_ONCE = 8
held = []
accepting = threading.Lock()


def take(address, listener):
    """A client and its upstream's end: one at a time, so that both belong together."""
    with accepting:
        client = peer.connect(address)
        upstream, _ = listener.accept()
    upstream.settimeout(peer.LIMIT)
    return client, upstream


def stream(address, listener, number, count):
    client, upstream = take(address, listener)
    sent, received, got = hashlib.sha256(), hashlib.sha256(), 0

    def send():
        for piece in peer.content(count, number):
            sent.update(piece)
            upstream.sendall(piece)

    sender = threading.Thread(target=send)
    sender.start()
    while got < count:
        piece = client.recv(1 << 18)
        if not piece:
            break
        received.update(piece)
        got += len(piece)
    sender.join()
    client.sendall(MESSAGE)
    answer = b""
    while len(answer) < len(MESSAGE) and (piece := upstream.recv(64)):
        answer += piece
    held.append((client, upstream))
    return got == count and received.digest() == sent.digest() and answer == MESSAGE


def end(pair):
    client, upstream = pair
    upstream.shutdown(1)
    last = client.recv(1)
    client.close()
    upstream.recv(1)
    upstream.close()
    return last == b""


def main():
    peer.raise_descriptor_limit()
    listener = peer.listen()
    listener.settimeout(peer.LIMIT)
    peer.say(listening=peer.describe(listener.getsockname()))
    for line in sys.stdin:
        verb, *rest = line.split()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as hands:
            if verb == "hold":
                address, count, size = rest[0], int(rest[1]), int(rest[2])
                good = sum(hands.map(lambda number: stream(address, listener, number, size), range(count)))
                peer.say(held=len(held), good=good)
            elif verb == "close":
                ends = sum(hands.map(end, held))
                held.clear()
                peer.say(ends=ends)


main()
