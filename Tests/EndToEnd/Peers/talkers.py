"""Short messages while one stream runs at full speed: how long a message there and back takes.

It listens as the upstream and says where. Each line of standard input, `ADDRESS TALKERS SECONDS`, is a round: a stream at
full speed through the relay, and TALKERS clients that each send 64 bytes four times a second and wait for the same to come
back; then one line with how many there were, their median and 99th percentile in milliseconds, and what the stream
carried. Source and sink of the stream, and the upstream, are processes of their own; the stream's have the lowest
priority, so that it is the relay's loop that the talkers share with it, and not their turn on a core.
"""

import ctypes
import multiprocessing
import os
import random
import selectors
import signal
import socket
import sys
import time

import peer

WORDS, STREAM = b"t" * 64, b"s" * (1 << 18)
PAUSE = 0.25


def end_with_parent():
    """A killed parent cannot end its children: the kernel does (PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def echo(listener):
    """The talkers' upstream. A connection that begins with an `s` is the stream, and goes to its own sink."""
    end_with_parent()
    ready = selectors.DefaultSelector()
    listener.setblocking(False)
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setblocking(False)
                ready.register(connection, selectors.EVENT_READ)
                continue
            try:
                words = key.fileobj.recv(64)
                if words[:1] == b"s":
                    ready.unregister(key.fileobj)
                    multiprocessing.Process(target=sink, args=(key.fileobj,), daemon=True).start()
                    key.fileobj.close()
                elif words:
                    key.fileobj.send(words)
                else:
                    raise EOFError
            except BlockingIOError:
                pass
            except (OSError, EOFError):
                ready.unregister(key.fileobj)
                key.fileobj.close()


def sink(connection):
    end_with_parent()
    os.nice(19)
    connection.setblocking(True)
    try:
        while connection.recv(1 << 20):
            pass
    except OSError:
        pass


def source(address, carried):
    end_with_parent()
    os.nice(19)
    client = peer.connect(address)
    try:
        while True:
            client.sendall(STREAM)
            with carried.get_lock():
                carried.value += len(STREAM)
    except OSError:
        pass


def talk(address, count, seconds):
    """Every answer's time, in seconds."""
    clients = [peer.connect(address) for _ in range(count)]
    ready, times = selectors.DefaultSelector(), []
    begun, due = {}, []
    start = time.monotonic()
    for number, client in enumerate(clients):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(client, selectors.EVENT_READ)
        due.append((start + random.random() * PAUSE, client))
    due.sort(key=lambda entry: entry[0])
    while (now := time.monotonic()) < start + seconds:
        while due and due[0][0] <= now:
            _, client = due.pop(0)
            begun[client] = time.monotonic()
            client.send(WORDS)
        wait = min(max(due[0][0] - now, 0), 0.05) if due else 0.05
        for key, _ in ready.select(wait):
            now = time.monotonic()
            if key.fileobj.recv(64) != WORDS:
                raise EOFError("something else came back")
            times.append(now - begun[key.fileobj])
            # All pauses are alike, so the list stays in order.
            due.append((now + PAUSE, key.fileobj))
    for client in clients:
        client.close()
    return sorted(times)


def main():
    peer.raise_descriptor_limit()
    listener = peer.listen()
    upstream = multiprocessing.Process(target=echo, args=(listener,))
    upstream.start()
    peer.say(listening=peer.describe(listener.getsockname()))
    for line in sys.stdin:
        address, count, seconds = line.split()
        carried = multiprocessing.Value("q", 0)
        firehose = multiprocessing.Process(target=source, args=(address, carried), daemon=True)
        firehose.start()
        end = time.monotonic() + peer.LIMIT
        while carried.value < 1 << 24 and time.monotonic() < end:
            time.sleep(0.01)
        times = talk(address, int(count), float(seconds))
        total = carried.value
        firehose.terminate()
        firehose.join()
        part = lambda share: round(times[int(len(times) * share)] * 1000, 3)
        peer.say(answers=len(times), median=part(0.5), p99=part(0.99), carried=total)
    upstream.terminate()


multiprocessing.set_start_method("fork")
main()
