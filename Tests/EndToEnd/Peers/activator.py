"""Opens sockets for a service and keeps them, as a service manager does, while the service comes and goes.

Arguments: NAME=ADDRESS for each socket, `--`, and the words of the service. It says what it listens on. Each line of
standard input starts the service once more, when it does not run: with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID. The
service's outputs are its own, and its end is said. It ends with this process, whatever ends that."""

import ctypes
import os
import signal
import sys

import peer

separator = sys.argv.index("--")
listeners, names = [], []
for item in sys.argv[1:separator]:
    name, address = item.split("=", 1)
    names.append(name)
    listeners.append(peer.listen(address))
peer.say(listening=[peer.describe(listener.getsockname()) for listener in listeners])
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        # PR_SET_PDEATHSIG (prctl(2)).
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        # Out of the way of the numbers that they get.
        copies = [os.dup2(listener.fileno(), 100 + place) for place, listener in enumerate(listeners)]
        for place, copy in enumerate(copies):
            os.dup2(copy, 3 + place)
            os.close(copy)
        os.environ.update(
            LISTEN_FDS=str(len(listeners)), LISTEN_FDNAMES=":".join(names), LISTEN_PID=str(os.getpid()))
        words = sys.argv[separator + 1:]
        os.execvp(words[0], words)
    peer.say(started=child)
    _, status = os.waitpid(child, 0)
    peer.say(ended=child, status=os.waitstatus_to_exitcode(status))
