internal import COpenSSL
internal import Glibc
internal import Sockets

/// What OpenSSL's callbacks need of a session.
extension TLSSession {
    static func session(of ssl: OpaquePointer) -> TLSSession? {
        SSL_get_ex_data(ssl, 0).map { Unmanaged.fromOpaque($0).takeUnretainedValue() }
    }

    static func note(_ ssl: OpaquePointer?, _ event: CInt, _ value: CInt) {
        ssl.flatMap { session(of: $0) }?.note(event, value)
    }

    static func noteKeys(_ ssl: OpaquePointer?, _ line: UnsafePointer<CChar>?) {
        guard let observer = ssl.flatMap({ session(of: $0) })?.wire.observer, let line else { return }
        observer.keys(Array(UnsafeRawBufferPointer(start: line, count: strlen(line))))
    }

    /// The address that the peer has connected to; nil if there is none.
    var localAddress: SocketAddress? { wire.localAddress }

    var ticketKeys: TLSTicketKeys? { server?.ticketKeys }

    /// Keeps a session for a later connection. Its reference is then the cache's.
    func keep(_ session: OpaquePointer) -> Bool {
        guard let client, SSL_SESSION_is_resumable(session) == 1 else { return false }
        client.cache.put(session, of: peer)
        return true
    }

    /// Takes new keys, and asks for the peer's if `both`, so that a test can send as many as a hostile peer. False if that is
    /// impossible.
    package func updateKeys(both: Bool = false) -> Bool {
        OpenSSL.clearErrors()
        let kind = both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED
        return SSL_key_update(ssl, kind) == 1 && SSL_do_handshake(ssl) == 1
    }
}
