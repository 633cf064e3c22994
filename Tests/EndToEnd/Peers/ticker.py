"""A stream down a relay until it is cut: every tenth of a second it prints the time and the number of bytes that the client
has received. The bytes follow from their position: `ticker.py prefix COUNT` prints their hash.

ticker.py        listens as the upstream, says where, and takes the relay's address by standard input
"""

import hashlib
import sys
import threading
import time

import peer

# The maximum number of bytes; about 20 MB a second.
MOST, RATE = 1 << 30, 20_000_000


def serve(listener):
    connection, _ = listener.accept()
    began, sent, size = time.monotonic(), 0, 1
    try:
        for piece in peer.content(MOST):
            while piece:
                # Writes of all sizes.
                size = size * 3 % 65521
                connection.sendall(piece[:size])
                sent += min(size, len(piece))
                piece = piece[size:]
                ahead = sent / RATE - (time.monotonic() - began)
                if ahead > 0.002:
                    time.sleep(ahead)
    except OSError:
        pass


def main():
    listener = peer.listen()
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    peer.say(listening=peer.describe(listener.getsockname()))
    client = peer.connect(sys.stdin.readline().strip())
    count, mark = 0, time.time()
    try:
        while piece := client.recv(1 << 18):
            count += len(piece)
            if time.time() - mark >= 0.1:
                mark = time.time()
                peer.say(time=mark, count=count)
    except OSError:
        pass
    peer.say(over=count)


if sys.argv[1:2] == ["prefix"]:
    digest, left = hashlib.sha256(), int(sys.argv[2])
    for piece in peer.content(MOST):
        digest.update(piece[:left])
        left -= min(left, len(piece))
        if not left:
            break
    peer.say(sha256=digest.hexdigest())
else:
    main()
