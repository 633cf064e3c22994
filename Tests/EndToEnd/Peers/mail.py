"""Mail servers and clients, with STARTTLS and without it.

    serve PROTOCOL [NAME]        a server that takes one message or lists one folder; with the certificate NAME.crt and NAME.key
                                 it does so after STARTTLS only. It says where it listens.
    client PROTOCOL ADDRESS [CA] Python's own client (smtplib, imaplib); with CA it begins TLS with the server front.example.
                                 It says what came of it.
"""

import imaplib
import smtplib
import socket
import ssl
import sys
import threading

import peer
import tls_session

FRONT = "front.example"


class Server:
    """One connection, with blocking lines."""

    def __init__(self, connection, certificate):
        self.connection, self.certificate = connection, certificate
        self.is_secure = certificate is None
        self.lines = connection.makefile("rb")

    def say(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def begin(self):
        context = tls_session.server_context(self.certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.lines = self.connection.makefile("rb")
        self.is_secure = True

    def smtp(self):
        self.say("220-mail.example\r\n220 ESMTP")
        while line := self.lines.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                offer = "" if self.is_secure else "250-STARTTLS\r\n"
                self.say(f"250-mail.example\r\n{offer}250 8BITMIME")
            elif verb == b"STARTTLS":
                self.say("220 go ahead")
                self.begin()
            elif not self.is_secure:
                self.say("530 STARTTLS first")
            elif verb == b"DATA":
                self.say("354 send it")
                text = b"".join(iter(self.lines.readline, b".\r\n"))
                self.say(f"250 {len(text)} bytes taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 OK")

    def imap(self):
        self.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] mail.example")
        while line := self.lines.readline():
            tag, verb = (word.decode().upper() for word in line.split()[:2])
            tag = line.split()[0].decode()
            if verb == "CAPABILITY":
                offer = "" if self.is_secure else " STARTTLS LOGINDISABLED"
                self.say(f"* CAPABILITY IMAP4rev1{offer}\r\n{tag} OK done")
            elif verb == "STARTTLS":
                self.say(f"{tag} OK begin")
                self.begin()
            elif not self.is_secure:
                self.say(f"{tag} NO STARTTLS first")
            elif verb == "SELECT":
                self.say(f"* 3 EXISTS\r\n{tag} OK done")
            elif verb == "LOGOUT":
                self.say(f"* BYE bye\r\n{tag} OK done")
                return
            else:
                self.say(f"{tag} OK done")


def serve(protocol, certificate=None):
    listener = peer.listen()
    peer.say(listening=peer.describe(listener.getsockname()))

    def run(connection):
        connection.settimeout(peer.LIMIT)
        server = Server(connection, certificate)
        try:
            getattr(server, protocol)()
            # The client may still be reading.
            server.connection.shutdown(socket.SHUT_WR)
            server.connection.recv(1)
        except OSError:
            pass
        server.connection.close()

    while True:
        threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()


def client(protocol, address, authority=None):
    _, (host, port) = peer.divide(address)
    context = ssl.create_default_context(cafile=authority) if authority else None
    if protocol == "smtp":
        with smtplib.SMTP(host, port, timeout=peer.LIMIT) as mail:
            if context:
                mail._host = FRONT  # the name that it verifies
                mail.starttls(context=context)
            mail.sendmail("a@example.com", ["b@example.com"], "Subject: hello\r\n\r\n" + "text\r\n" * 50_000)
        peer.say(sent=True)
    else:
        with imaplib.IMAP4(host, port, timeout=peer.LIMIT) as mail:
            if context:
                mail.host = FRONT
                mail.starttls(context)
            mail.login("user", "password")
            peer.say(listed=mail.select("INBOX")[1][0].decode())


{"serve": serve, "client": client}[sys.argv[1]](*sys.argv[2:])
