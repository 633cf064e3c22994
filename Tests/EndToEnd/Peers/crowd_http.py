"""Clients of the admin API that do no good: crowd_http.py HOST:PORT COUNT

COUNT connections, by turns: idle, half a header, garbage, a body that does not come, an event stream that is not read,
a huge header. Says {"connected": N} once all are there, and stays until its standard input ends.
"""

import json
import socket
import sys

host, port = sys.argv[1].rsplit(":", 1)
count = int(sys.argv[2])
lines = b"Host: localhost\r\n"
texts = [
    b"",
    b"GET /v1/status HTTP/1.1\r\nHost: loc",
    bytes(range(256)) * 8,
    b"POST /v1/reload HTTP/1.1\r\n" + lines + b"Content-Length: 50000\r\n\r\nx",
    b"GET /v1/events HTTP/1.1\r\n" + lines + b"\r\n",
    b"GET / HTTP/1.1\r\n" + lines + b"X: " + b"y" * 100_000,
]
sockets = []
for number in range(count):
    try:
        client = socket.create_connection((host, int(port)), timeout=10)
        client.settimeout(0.2)
        client.sendall(texts[number % len(texts)])
        sockets.append(client)
    except OSError:
        # Refused, or cut off in the middle: that is what it is for.
        pass
print(json.dumps({"connected": len(sockets)}), flush=True)
sys.stdin.read()
