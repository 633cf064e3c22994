"""Runs a program whose standard output is a socket, as under the systemd journal, and passes on what it writes there.

`socket_output.py NUMBER PROGRAM ARGUMENT…`: the socket is descriptor NUMBER of the program. The program keeps this
process's number; the copying is done by a child, until the program ends.
"""

import os
import socket
import sys

number = int(sys.argv[1])
ours, theirs = socket.socketpair()
if os.fork() == 0:
    theirs.close()
    while piece := ours.recv(65536):
        os.write(1, piece)
    os._exit(0)
ours.close()
os.dup2(theirs.fileno(), number)
os.execvp(sys.argv[2], sys.argv[2:])
