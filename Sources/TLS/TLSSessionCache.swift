internal import COpenSSL
internal import Synchronization

/// The sessions that a client context can resume: a bounded number, the oldest of which gives way. Any thread: locked.
final class TLSSessionCache: Sendable {
    /// The most sessions of all peers.
    static let most = 256
    /// The most sessions of one peer: TLS 1.3 uses each once, and connections are opened several at a time.
    static let mostOfOne = 8

    /// An `SSL_SESSION`, which nothing changes once it is here. One reference belongs to the entry.
    private struct Entry: @unchecked Sendable {
        let peer: String
        let session: OpaquePointer
    }

    private let entries = Mutex<[Entry]>([])

    deinit {
        for entry in entries.withLock({ $0 }) { SSL_SESSION_free(entry.session) }
    }

    /// Keeps a session; its reference is the cache's from now on.
    func put(_ session: OpaquePointer, of peer: String) {
        let entry = Entry(peer: peer, session: session)
        let dropped = entries.withLock { entries -> [Entry] in
            var dropped: [Entry] = []
            entries.append(entry)
            let own = entries.indices.filter { entries[$0].peer == peer }
            if own.count > Self.mostOfOne { dropped.append(entries.remove(at: own[0])) }
            if entries.count > Self.most { dropped.append(entries.removeFirst()) }
            return dropped
        }
        for entry in dropped { SSL_SESSION_free(entry.session) }
    }

    /// The newest session of a peer, with a reference for the caller; nil without one. One of TLS 1.3 leaves the cache
    /// (RFC 8446, appendix C.4).
    func take(for peer: String) -> OpaquePointer? {
        entries.withLock { entries -> Entry? in
            guard let index = entries.lastIndex(where: { $0.peer == peer }) else { return nil }
            let entry = entries[index]
            if SSL_SESSION_get_protocol_version(entry.session) >= TLS1_3_VERSION {
                entries.remove(at: index)
            } else {
                SSL_SESSION_up_ref(entry.session)
            }
            return entry
        }?.session
    }

    /// How many sessions are kept; for tests.
    var count: Int { entries.withLock { $0.count } }
}
