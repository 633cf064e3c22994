internal import COpenSSL
internal import Synchronization

/// The keys that session tickets are encrypted with: shared by every worker and relay of the process, replaced every twelve
/// hours, and accepted for twelve more. Any thread: locked.
///
/// They are never written anywhere, so that a ticket is worth nothing after a restart. A context's session ID context keeps a
/// ticket of one relay from being used at another.
public final class TLSTicketKeys: Sendable {
    /// The keys of this process.
    public static let process = TLSTicketKeys()

    /// How long a key encrypts new tickets, nanoseconds.
    static let period: UInt64 = 12 * 3600 * 1_000_000_000

    private struct Key {
        var name: [UInt8]
        var cipher: [UInt8]
        var mac: [UInt8]

        /// Nil if the system has no random bytes.
        init?() {
            guard let name = Self.random(16), let cipher = Self.random(32), let mac = Self.random(32) else {
                return nil
            }
            (self.name, self.cipher, self.mac) = (name, cipher, mac)
        }

        private static func random(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            return RAND_bytes(&bytes, CInt(count)) == 1 ? bytes : nil
        }
    }

    private struct State {
        var current: Key?
        var previous: Key?
        var since: UInt64 = 0
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> UInt64

    /// Makes keys. `now` is a monotonic clock in nanoseconds.
    package init(now: @escaping @Sendable () -> UInt64 = { Clock.nanoseconds }) {
        self.now = now
    }

    /// The key for new tickets, which this replaces when its time is over.
    private func currentKey() -> Key? {
        let now = now()
        return state.withLock { state in
            if state.current == nil || Clock.elapsed(from: state.since, to: now) >= Self.period {
                // A process that issued no ticket for two periods accepts none of the old key.
                let isRecent = Clock.elapsed(from: state.since, to: now) < 2 * Self.period
                state.previous = isRecent ? state.current : nil
                state.current = Key()
                state.since = now
            }
            return state.current
        }
    }

    /// The key with a name, and whether it still encrypts new tickets.
    private func key(named name: [UInt8]) -> (key: Key, isCurrent: Bool)? {
        let current = currentKey()
        if let current, current.name == name { return (current, true) }
        return state.withLock { $0.previous }.flatMap { $0.name == name ? ($0, false) : nil }
    }

    /// Fetched once: every implicit fetch takes OpenSSL's locks.
    private static let cipher = AES()
    private struct AES: @unchecked Sendable {
        // Immutable and counted; never freed.
        let pointer = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
    }

    func install(in context: OpaquePointer) {
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { ssl, name, vector, cipher, mac, isNew in
            guard let ssl, let keys = TLSSession.session(of: ssl)?.ticketKeys else { return -1 }
            return keys.handle(ssl, name, vector, cipher, mac, isNew == 1)
        }
    }

    /// OpenSSL's callback: prepares the two contexts. Returns 1 to use them, 2 to issue a new ticket as well, 0 for a ticket
    /// that cannot be read, and -1 for an error.
    private func handle(
        _ ssl: OpaquePointer, _ name: UnsafeMutablePointer<UInt8>?, _ vector: UnsafeMutablePointer<UInt8>?,
        _ cipher: OpaquePointer?, _ mac: OpaquePointer?, _ isNew: Bool
    ) -> CInt {
        guard let name, let vector, let cipher, let mac else { return -1 }
        if isNew {
            guard let key = currentKey(), RAND_bytes(vector, 16) == 1 else { return -1 }
            name.update(from: key.name, count: 16)
            let isReady = EVP_EncryptInit_ex2(cipher, Self.cipher.pointer, key.cipher, vector, nil) == 1
            return isReady && prepare(mac, key) ? 1 : -1
        }
        guard let (key, isCurrent) = key(named: Array(UnsafeBufferPointer(start: name, count: 16))) else { return 0 }
        guard EVP_DecryptInit_ex2(cipher, Self.cipher.pointer, key.cipher, vector, nil) == 1, prepare(mac, key) else {
            return -1
        }
        // A client of TLS 1.3 uses each ticket once, so it gets the next one.
        return isCurrent && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2
    }

    private func prepare(_ mac: OpaquePointer, _ key: Key) -> Bool {
        tapline_mac_set_key(mac, key.mac, key.mac.count) == 1
    }
}
