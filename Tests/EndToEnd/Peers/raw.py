"""Sends bytes and prints everything that comes back, to the end of the stream: raw.py ADDRESS TEXT, with \\r and \\n in TEXT.
It does not end its own half, so the end of the stream is the other side's decision."""

import sys

import peer

client = peer.connect(sys.argv[1])
client.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
while piece := client.recv(65536):
    sys.stdout.buffer.write(piece)
