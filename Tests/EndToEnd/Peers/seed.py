"""What a client does that knows nothing of relays: connect by name, send, receive, close."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send(b"Hello, server!")
print(client.recv(1024).decode())
client.close()
