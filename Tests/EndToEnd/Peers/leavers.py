"""Clients of the admin API that leave before they have their answer: leavers.py HOST:PORT PATH COUNT STREAM WANTED

COUNT requests for PATH, each reset within a millisecond, at a different moment each. Then it opens WANTED streams at
the path STREAM, says {"streams": N} with how many of them it got, and ends.
"""

import json
import socket
import sys
import time

import peer

address, path, count, stream, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])


def ask(path):
    client = peer.connect(address)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


for number in range(count):
    client = ask(path)
    # The moment is the point: between the request's coming and the head of its answer.
    moment = time.monotonic() + number % 20 * 0.00003
    while time.monotonic() < moment:
        pass
    peer.reset(client)

streams = []
end = time.monotonic() + peer.LIMIT
# Nothing tells when a place is free.
while len(streams) < wanted and time.monotonic() < end:
    client = ask(stream)
    try:
        answer = client.recv(12)
    except ConnectionResetError:
        answer = b""
    if answer == b"HTTP/1.1 200":
        streams.append(client)
    else:
        client.close()
        time.sleep(0.02)
print(json.dumps({"streams": len(streams)}), flush=True)
