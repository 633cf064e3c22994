"""Short connections, one after the other in several processes, and abrupt ones.

It listens as the upstream and says where. Each line of standard input, `ADDRESS SHORT ABRUPT`, is a round: SHORT
conversations through the relay, and ABRUPT connections that are reset at different moments; then one line with the number
of successes. The side that ends a short one changes from one to the next.
"""

import ctypes
import multiprocessing
import signal
import sys

import peer

WORDS = b"Hello, server!"
PROCESSES = 2


def end_with_parent():
    """A killed parent cannot end its children: the kernel does (PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def serve(listener):
    """Sends back what comes. `!` at the start: this side closes first."""
    end_with_parent()
    while True:
        connection, _ = listener.accept()
        try:
            connection.settimeout(peer.LIMIT)
            while words := connection.recv(1024):
                connection.sendall(words)
                if words[:1] == b"!":
                    break
        except OSError:
            pass
        connection.close()


def converse(address, number):
    client = peer.connect(address)
    words = WORDS if number % 2 else b"!" + WORDS[1:]
    client.sendall(words)
    answer = b""
    while len(answer) < len(words):
        piece = client.recv(1024)
        if not piece:
            raise EOFError(f"{len(answer)} bytes came back")
        answer += piece
    if words[:1] == b"!" and client.recv(1024):
        raise EOFError("the upstream closed, and more came")
    client.close()
    return answer == words


def break_off(address, number):
    client = peer.connect(address)
    if number % 3 > 0:
        client.sendall(WORDS)
    if number % 3 > 1:
        client.recv(1024)
    peer.reset(client)


def work(address, short, abrupt, results):
    end_with_parent()
    good, trouble = 0, None
    for turn in range(short):
        try:
            good += converse(address, turn)
        except (OSError, EOFError) as error:
            trouble = repr(error)
    for turn in range(abrupt):
        break_off(address, turn)
    results.put((good, trouble))


def main():
    listener = peer.listen()
    servers = [multiprocessing.Process(target=serve, args=(listener,), daemon=True) for _ in range(PROCESSES)]
    for server in servers:
        server.start()
    peer.say(listening=peer.describe(listener.getsockname()))
    for line in sys.stdin:
        address, short, abrupt = line.split()
        results = multiprocessing.Queue()
        share = (int(short) // PROCESSES, int(abrupt) // PROCESSES)
        clients = [
            multiprocessing.Process(target=work, args=(address, *share, results), daemon=True)
            for _ in range(PROCESSES)]
        for client in clients:
            client.start()
        outcomes = [results.get() for _ in clients]
        for client in clients:
            client.join()
        troubles = [trouble for _, trouble in outcomes if trouble]
        peer.say(good=sum(good for good, _ in outcomes), trouble=troubles[0] if troubles else None)


multiprocessing.set_start_method("fork")
main()
