"""Peers that attack TLS. The first argument is the side that this one is on:

    client CA NAME               each line of standard input, `ATTACK ADDRESS COUNT`, is an attack by COUNT connections, or
                                 of COUNT messages; it is answered with one line of JSON, with the attack's number, once
                                 the relay has ended all of them.
    upstream CERTIFICATE ATTACK  listens, says where, and attacks the relay that connects.

An attack's line has `first`, the first thing that the relay answered: a record's type, an alert as `alert NUMBER`, or
nothing; with several connections `firsts`, of all of them; `end`, how the connection ended (fin, reset, or open); and `seconds`, how long the last connection lasted.
"""

import os
import random
import socket
import struct
import sys
import threading
import time

import peer
import tls_session

HANDSHAKE, ALERT = 22, 21


def record(kind, body, version=0x0301):
    return struct.pack("!BHH", kind, version, len(body)) + body


def hello(version=0x0303, supported=(0x0304, 0x0303)):
    """A ClientHello, as a handshake message. `supported` empty: without that extension, as before TLS 1.3."""
    extensions = b""

    def add(number, body):
        nonlocal extensions
        extensions += struct.pack("!HH", number, len(body)) + body

    add(10, struct.pack("!HHH", 4, 29, 23))
    add(13, struct.pack("!HHHH", 6, 0x0403, 0x0804, 0x0401))
    if supported:
        add(43, bytes([2 * len(supported)]) + b"".join(struct.pack("!H", number) for number in supported))
        add(51, struct.pack("!HHH", 36, 29, 32) + os.urandom(32))
    body = struct.pack("!H", version) + os.urandom(32) + b"\0"
    suites = struct.pack("!HHHH", 0x1301, 0xC02B, 0xC02F, 0x002F)
    body += struct.pack("!H", len(suites)) + suites + b"\1\0" + struct.pack("!H", len(extensions)) + extensions
    return b"\1" + struct.pack("!I", len(body))[1:] + body


def first_of(received):
    if not received:
        return "nothing"
    if received[0] == ALERT and len(received) >= 7:
        return f"alert {received[6]}"
    return f"record {received[0]}"


def receive_to_end(connection, limit=30):
    """What comes, and how it ends."""
    connection.settimeout(limit)
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece[: 4096 - len(received)]
        return received, "fin"
    except TimeoutError:
        return received, "open"
    except OSError:
        return received, "reset"


def send(connection, data):
    """The relay may have ended the connection already, as it must."""
    try:
        connection.sendall(data)
    except OSError:
        pass


def one_by_one(connection):
    """Sends each byte in a segment of its own."""

    def send_bytes(data):
        for byte in data:
            connection.sendall(bytes([byte]))

    return send_bytes


class Client:
    def __init__(self, authority, name):
        self.authority, self.name = authority, name
        self.number = 0  # of the attack

    def connect(self, address):
        connection = peer.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def session(self, connection, version=None, send=None):
        context = tls_session.client_context(self.authority, version)
        return tls_session.Session(connection, context, self.name, send=send).handshake()

    # Attacks with a first message only: what is sent

    def first_bytes(self, attack):
        whole = record(HANDSHAKE, hello())
        generator = random.Random(17)
        return {
            "fragments": b"".join(record(HANDSHAKE, bytes([byte])) for byte in hello()),
            "oversized": struct.pack("!BHH", HANDSHAKE, 0x0301, 0xFFFF) + generator.randbytes(0xFFFF),
            "large": struct.pack("!BHH", HANDSHAKE, 0x0301, 1 << 14) + b"\1\xff\xff\xff" + bytes((1 << 14) - 4),
            "garbage": generator.randbytes(1 << 16),
            "http": b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "ssl2": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + os.urandom(16),
            "ssl3": record(HANDSHAKE, hello(0x0300, ()), 0x0300),
            "tls1.1": record(HANDSHAKE, hello(0x0302, ())),
            "empty": record(HANDSHAKE, b"") * 1000,
            "warnings": record(ALERT, b"\1\x5a") * 1000,
            "unknown-alert": record(ALERT, b"\2\x63"),
            "data-first": record(23, bytes(100)),
            "half": whole[: len(whole) // 2],
            "whole": whole,
        }[attack]

    def send_first(self, address, attack, count):
        connections = []
        start = time.monotonic()
        for _ in range(count):
            connection = self.connect(address)
            send(connection, self.first_bytes(attack))
            connections.append(connection)
        peer.say(sent=self.number)
        results = [receive_to_end(connection) for connection in connections]
        ends = {end for _, end in results}
        return {
            "first": first_of(results[0][0]), "end": "/".join(sorted(ends)), "seconds": time.monotonic() - start,
            "firsts": sorted({first_of(received) for received, _ in results}),
        }

    def finish(self, connection, start):
        received, end = receive_to_end(connection)
        connection.close()
        return {"first": first_of(received), "end": end, "seconds": time.monotonic() - start}

    # Attacks of their own

    def bytewise(self, address, count):
        """A valid handshake and message, each byte in a segment of its own, which must work."""
        connection, start = self.connect(address), time.monotonic()
        session = self.session(connection, send=one_by_one(connection))
        session.write(b"hello")
        if session.read_exactly(5) != b"hello":
            raise ValueError("other bytes came back")
        session.finish()
        return self.finish(connection, start)

    def slow(self, address, count):
        """One byte a second."""
        connection, start = self.connect(address), time.monotonic()
        connection.settimeout(1)
        for byte in record(HANDSHAKE, hello()):
            try:
                connection.sendall(bytes([byte]))
                if not connection.recv(1):
                    return {"first": "nothing", "end": "fin", "seconds": time.monotonic() - start}
            except TimeoutError:
                continue
            except OSError:
                return {"first": "nothing", "end": "reset", "seconds": time.monotonic() - start}
        return {"first": "nothing", "end": "open", "seconds": time.monotonic() - start}

    def reset(self, address, count):
        """A reset in the middle of the handshake, again and again."""
        start = time.monotonic()
        for _ in range(count):
            connection = self.connect(address)
            send(connection, record(HANDSHAKE, hello()))
            connection.recv(1)
            peer.reset(connection)
        return {"first": "nothing", "end": "reset", "seconds": time.monotonic() - start}

    def partial(self, address, count):
        """Half of a record, and then nothing."""
        connection, start = self.connect(address), time.monotonic()
        self.session(connection)
        send(connection, record(23, bytes(1000), 0x0303)[:500])
        return self.finish(connection, start)

    def damaged(self, address, count):
        """A record with a wrong authentication tag."""
        connection, start = self.connect(address), time.monotonic()
        session = self.session(connection, "1.2")
        send(connection, record(23, bytes(1000), 0x0303))
        return self.finish(connection, start)

    def raw(self, address, version, attack, count):
        connection, start = self.connect(address), time.monotonic()
        connection.settimeout(None)
        library = tls_session.Library()
        session = library.session(connection, version)
        sent = attack(library)(session, count)
        return {"sent": sent, **self.finish(connection, start)}

    def key_updates(self, address, count):
        return self.raw(address, tls_session.Library.TLS13, lambda library: library.update_keys, count)

    def renegotiate(self, address, count):
        return self.raw(address, tls_session.Library.TLS12, lambda library: library.renegotiate, count)

    def run(self, attack, address, count):
        own = {
            "bytewise": self.bytewise, "slow": self.slow, "reset": self.reset, "partial": self.partial,
            "damaged": self.damaged, "key-updates": self.key_updates, "renegotiate": self.renegotiate,
        }.get(attack)
        return own(address, count) if own else self.send_first(address, attack, count)


class Upstream:
    """Attacks each relay that connects in the same way."""

    def __init__(self, certificate):
        self.certificate = certificate

    def answer(self, connection, attack):
        connection.settimeout(peer.LIMIT)
        if attack in ("key-updates", "renegotiate"):
            library = tls_session.Library()
            is_update = attack == "key-updates"
            version = library.TLS13 if is_update else library.TLS12
            connection.settimeout(None)
            session = library.session(connection, version, self.certificate)
            (library.update_keys if is_update else library.renegotiate)(session, 100_000)
        elif attack == "reset":
            connection.recv(1)
            return peer.reset(connection)
        elif attack == "fin":
            connection.recv(1 << 16)
            return connection.close()
        elif attack == "warning":
            # Tolerated: a server that does not know the client's name says so before its ServerHello.
            context = tls_session.server_context(self.certificate, "1.2")
            send(connection, record(ALERT, b"\1\x70", 0x0303))
            session = tls_session.Session(connection, context, is_server=True).handshake()
            session.write(session.read_exactly(5))
            session.finish()
        else:
            generator = random.Random(17)
            connection.recv(1)
            number = attack.removeprefix("alert-")
            send(connection, record(ALERT, bytes([2, int(number)]), 0x0303) if number != attack else {
                "garbage": generator.randbytes(1 << 16),
                "oversized": struct.pack("!BHH", HANDSHAKE, 0x0303, 0xFFFF) + generator.randbytes(0xFFFF),
                "plain": b"220 mail.example ESMTP\r\n",
                "stop": record(HANDSHAKE, b"\2\0\1\0" + bytes(100), 0x0303),
                "silent": b"",
            }[attack])
        receive_to_end(connection, peer.LIMIT)
        connection.close()

    def serve(self, attack):
        listener = peer.listen()
        peer.say(listening=peer.describe(listener.getsockname()))
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.guard, args=(connection, attack), daemon=True).start()

    def guard(self, connection, attack):
        try:
            self.answer(connection, attack)
        except (OSError, EOFError):
            # The relay has ended it.
            connection.close()


def main(side, *arguments):
    peer.raise_descriptor_limit()
    if side == "upstream":
        certificate, attack = arguments
        Upstream(certificate).serve(attack)
    client = Client(*arguments)
    for number, line in enumerate(sys.stdin, 1):
        attack, address, count = line.split()
        client.number = number
        try:
            result = client.run(attack, address, int(count))
        except (OSError, EOFError) as error:
            result = {"trouble": repr(error)}
        peer.say(attack=number, **result)


main(*sys.argv[1:])
