"""A service manager, as far as a service sees it: a datagram socket under the name that is given (a path, or @ and a name
that is no path), which prints each message with its sender's process ID."""

import socket
import struct
import sys

import peer

name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.bind("\0" + name[1:] if name.startswith("@") else name)
peer.say(listening=name)
while True:
    message, extra, _, _ = manager.recvmsg(1 << 16, socket.CMSG_SPACE(12))
    process = next(struct.unpack("iii", data)[0] for level, kind, data in extra if kind == socket.SCM_CREDENTIALS)
    peer.say(process=process, message=message.decode())
