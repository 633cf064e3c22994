"""Clients with unusual dialogues before TLS. Each says what came of it.

    postgres ADDRESS CA    asks for GSSAPI first, and then for TLS; it sends one query, and reads to the end.
    smtp ADDRESS CA COUNT  sends that many commands of 8000 bytes before STARTTLS; it sends one command after it.

The server's name is front.example.
"""

import struct
import sys

import peer
import tls_session


def expect(connection, wanted):
    received = b""
    while len(received) < len(wanted):
        if not (piece := connection.recv(len(wanted) - len(received))):
            break
        received += piece
    if received != wanted:
        raise ValueError(f"{received!r} instead of {wanted!r}")


def session(connection, authority):
    return tls_session.Session(connection, tls_session.client_context(authority), "front.example").handshake()


def postgres(address, authority):
    connection = peer.connect(address)
    for code, answer in ((80877104, b"N"), (80877103, b"S")):
        connection.sendall(struct.pack("!II", 8, code))
        expect(connection, answer)
    tls = session(connection, authority)
    parameters = b"user\0tapline\0\0"
    tls.write(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
    query = b"select 1\0"
    tls.write(b"Q" + struct.pack("!I", 4 + len(query)) + query)
    tls.finish()
    count = 0
    while piece := tls.read():
        count += len(piece)
    peer.say(received=count)


def smtp(address, authority, count):
    connection = peer.connect(address)
    expect(connection, b"220 localhost ESMTP\r\n")
    for _ in range(int(count)):
        connection.sendall(b"NOOP " + b"x" * 7993 + b"\r\n")
        expect(connection, b"250 2.0.0 OK\r\n")
    connection.sendall(b"STARTTLS\r\n")
    expect(connection, b"220 2.0.0 TLS begins\r\n")
    tls = session(connection, authority)
    tls.write(b"QUIT\r\n")
    answer = b""
    while piece := tls.read():
        answer += piece
    peer.say(answer=answer.decode())


{"postgres": postgres, "smtp": smtp}[sys.argv[1]](*sys.argv[2:])
