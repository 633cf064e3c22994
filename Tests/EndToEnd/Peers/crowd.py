"""Many clients of a relay at once, and the upstream behind it.

It listens as the upstream and says where. Lines of standard input:
    open ADDRESS COUNT   that many clients connect, and stay silent (each is accepted by the upstream before the next)
    close                they close, and so does the upstream
    ask ADDRESS COUNT    that many clients connect and send, without waiting for answers
    finish               each of those takes its answer and closes; says how many were answered
"""

import selectors
import sys
import threading

import peer

WORDS = b"Hello, server!"
held = []
asking = []
is_open = threading.Event()


def take(listener):
    connection, _ = listener.accept()
    connection.settimeout(peer.LIMIT)
    return connection


def echo(connection):
    try:
        while words := connection.recv(1024):
            connection.sendall(words)
    except OSError:
        pass
    connection.close()


def serve(listener):
    """The upstream of those that ask: a thread each."""
    while True:
        connection, _ = listener.accept()
        connection.settimeout(peer.LIMIT)
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def take_answers():
    """A client that is answered leaves, which makes room for the next one; the relay decides the order."""
    waiting, answered = selectors.DefaultSelector(), 0
    for client in asking:
        waiting.register(client, selectors.EVENT_READ)
    while waiting.get_map() and (ready := waiting.select(peer.LIMIT)):
        for key, _ in ready:
            try:
                answered += key.fileobj.recv(1024) == WORDS
            except OSError:
                pass
            waiting.unregister(key.fileobj)
            key.fileobj.close()
    return answered


def main():
    peer.raise_descriptor_limit()
    listener = peer.listen()
    listener.settimeout(peer.LIMIT)
    peer.say(listening=peer.describe(listener.getsockname()))
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "open":
            for _ in range(int(rest[1])):
                held.append(peer.connect(rest[0]))
                held.append(take(listener))
            peer.say(open=len(held) // 2)
        elif verb == "close":
            for connection in held:
                connection.close()
            held.clear()
            peer.say(open=0)
        elif verb == "ask":
            listener.settimeout(None)
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
            for _ in range(int(rest[1])):
                client = peer.connect(rest[0])
                client.sendall(WORDS)
                asking.append(client)
            peer.say(asking=len(asking))
        elif verb == "finish":
            peer.say(answered=take_answers())


main()
