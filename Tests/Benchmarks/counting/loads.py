"""What a relay is counted at: both of its ends are here, and the next step is taken only when the one before arrived."""

import socket
import threading

from counting.relay import PATIENCE, Failed

SIZE = 64
MEBIBYTE = 1 << 20


def listen():
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.settimeout(PATIENCE)
    return listener


class Pair:
    """A connection through the relay, with both of its ends."""

    def __init__(self, port, listener):
        self.client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.upstream, _ = listener.accept()
        self.upstream.settimeout(PATIENCE)
        for end in (self.client, self.upstream):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, text):
        """A message there, and the same back."""
        message = text.encode().ljust(SIZE)
        for sender, reader in ((self.client, self.upstream), (self.upstream, self.client)):
            sender.sendall(message)
            if reader.recv(SIZE, socket.MSG_WAITALL) != message:
                raise Failed(f"{text}: did not arrive as it was sent")

    def close(self):
        """The client ends first, and both ends see the other's end of stream."""
        for sender, reader in ((self.client, self.upstream), (self.upstream, self.client)):
            sender.shutdown(socket.SHUT_WR)
            if reader.recv(1) != b"":
                raise Failed("bytes after the last message")
        self.client.close()
        self.upstream.close()

    def stream(self, mebibytes):
        """This many MiB to the client, as fast as possible; the upstream ends first."""

        def send():
            block = bytes(MEBIBYTE // 4)
            for _ in range(mebibytes * 4):
                self.upstream.sendall(block)
            self.upstream.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        got, buffer = 0, bytearray(MEBIBYTE)
        while count := self.client.recv_into(buffer):
            got += count
        sender.join(PATIENCE)
        if got != mebibytes * MEBIBYTE:
            raise Failed(f"{got} of {mebibytes * MEBIBYTE} bytes arrived")
        self.client.shutdown(socket.SHUT_WR)
        if self.upstream.recv(1) != b"":
            raise Failed("bytes that were not sent")
        self.client.close()
        self.upstream.close()


def live(port, listener, text):
    """A whole connection with one message."""
    pair = Pair(port, listener)
    pair.exchange(text)
    pair.close()
