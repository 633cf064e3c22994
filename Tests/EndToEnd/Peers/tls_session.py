"""TLS sessions for the peers: Python's ssl over a MemoryBIO, so that every byte on the wire can be shaped, and OpenSSL
itself for what Python does not offer (KeyUpdate, renegotiation)."""

import ctypes
import ctypes.util
import ssl


def client_context(authority, version=None, certificate=None):
    """Verifies the server. `version`: "1.2" or "1.3" only. `certificate`: the client's own, NAME of NAME.crt and .key."""
    context = ssl.create_default_context(cafile=authority)
    return limited(context, version, certificate)


def server_context(certificate, version=None, authority=None):
    """`authority`: clients must present a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return limited(context, version, certificate)


def limited(context, version, certificate):
    if version:
        only = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = only
    if certificate:
        context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
    return context


class Session:
    """A session over a blocking socket. Each side ends its half by itself."""

    def __init__(self, connection, context, name=None, is_server=False, send=None):
        self.connection = connection
        self.send = send or connection.sendall
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server, server_hostname=name)

    def flush(self):
        if self.outgoing.pending:
            self.send(self.outgoing.read())

    def run(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                if piece := self.connection.recv(1 << 16):
                    self.incoming.write(piece)
                else:
                    self.incoming.write_eof()
            finally:
                self.flush()

    def handshake(self):
        self.run(self.tls.do_handshake)
        return self

    def write(self, piece):
        """Sends bytes. What the peer sends meanwhile waits in the socket."""
        self.tls.write(piece)
        self.flush()

    def read(self, count=1 << 16):
        """At least one byte; none after close_notify. A FIN alone is an error (ssl.SSLEOFError)."""
        try:
            return self.run(lambda: self.tls.read(count))
        except ssl.SSLZeroReturnError:
            return b""

    def read_exactly(self, count):
        pieces = b""
        while len(pieces) < count:
            if not (piece := self.read(count - len(pieces))):
                raise EOFError(f"{len(pieces)} of {count} bytes came")
            pieces += piece
        return pieces

    def finish(self):
        """Ends this half: close_notify, without waiting for the other's."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()


class Library:
    """OpenSSL 3 itself, over blocking sockets."""

    MAXIMUM_VERSION = 124  # SSL_CTRL_SET_MAX_PROTO_VERSION
    TLS12, TLS13 = 0x0303, 0x0304

    def __init__(self):
        self.ssl = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
        for name in ("TLS_client_method", "TLS_server_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.ssl, name).restype = ctypes.c_void_p
        self.ssl.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]

    def session(self, connection, version, certificate=None):
        """A client's, or with a certificate a server's, after its handshake. The process's end frees it."""
        role = "server" if certificate else "client"
        method = ctypes.c_void_p(getattr(self.ssl, f"TLS_{role}_method")())
        context = ctypes.c_void_p(self.ssl.SSL_CTX_new(method))
        self.ssl.SSL_CTX_ctrl(context, self.MAXIMUM_VERSION, version, None)
        if certificate:
            self.ssl.SSL_CTX_use_certificate_chain_file(context, f"{certificate}.crt".encode())
            self.ssl.SSL_CTX_use_PrivateKey_file(context, f"{certificate}.key".encode(), 1)
        made = ctypes.c_void_p(self.ssl.SSL_new(context))
        self.ssl.SSL_set_fd(made, connection.fileno())
        step = self.ssl.SSL_accept if certificate else self.ssl.SSL_connect
        if step(made) != 1:
            raise ConnectionError("no handshake")
        return made

    def update_keys(self, session, count):
        """Sends that many KeyUpdate messages; returns how many were sent before the connection failed."""
        return self.repeat(count, lambda: self.ssl.SSL_key_update(session, 0), session)

    def renegotiate(self, session, count):
        """Starts that many renegotiations. A server sends a HelloRequest for each."""
        return self.repeat(count, lambda: self.ssl.SSL_renegotiate(session), session)

    def repeat(self, count, step, session):
        for number in range(count):
            if step() != 1 or self.ssl.SSL_do_handshake(session) != 1:
                return number
        return count
