internal import Sockets
internal import Synchronization
public import Text

/// Issues certificates for the server names that clients send, and keeps the ones that were used last. Any thread:
/// locked.
///
/// A certificate is issued within a step of a handshake, and the steps in a turn of a worker's loop are bounded.
public final class CertificateIssuer: Sendable {
    /// The certificates that are kept; a client may ask for any number of names.
    static let capacity = 1000

    private struct Entry {
        var certificate: IssuedCertificate
        /// The number of the use.
        var lastUse: UInt64
    }

    private struct State {
        var entries: [LocalAuthority.Subject: Entry] = [:]
        var uses: UInt64 = 0

        /// A certificate that is kept and fresh.
        mutating func use(_ subject: LocalAuthority.Subject, at now: Int64) -> IssuedCertificate? {
            guard let certificate = entries[subject]?.certificate, certificate.isFresh(at: now) else { return nil }
            return keep(certificate, subject)
        }

        /// Keeps a certificate, if there are too many in place of the one that was not used for longest.
        mutating func keep(_ certificate: IssuedCertificate, _ subject: LocalAuthority.Subject) -> IssuedCertificate {
            if entries[subject] == nil, entries.count >= capacity,
                let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                entries[oldest.key] = nil
            }
            uses += 1
            entries[subject] = Entry(certificate: certificate, lastUse: uses)
            return certificate
        }
    }

    /// The authority.
    public let authority: LocalAuthority
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())
    /// How many certificates are kept.
    var count: Int { state.withLock { $0.entries.count } }

    /// An issuer. `now` is the wall clock in seconds since 1970 UTC.
    public init(_ authority: LocalAuthority, now: @escaping @Sendable () -> Int64 = { WallClock.now / 1_000_000_000 }) {
        self.authority = authority
        self.now = now
    }

    /// The names of the certificate for a client: its server name, or without one the address that it has connected to,
    /// and the names of this machine's loopback.
    static func subject(_ name: RequestedName?, local: SocketAddress?) -> LocalAuthority.Subject {
        switch name {
        case .host(let name): return .init(alternativeNames: "DNS:\(name)", commonName: name)
        case .address(let address): return .init(alternativeNames: "IP:\(address)", commonName: address)
        case nil: break
        }
        var names = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
        let own: String? =
            switch local {
            case .ipv4(let address, _): "IP:\(address)"
            case .ipv6(let address, _, _): "IP:\(address)"
            case .unix, nil: nil
            }
        if let own, !names.contains(own) { names.append(own) }
        return .init(alternativeNames: names.joined(separator: ","), commonName: "localhost")
    }

    /// The certificate for a client; nil if the library has failed.
    func certificate(for name: RequestedName?, local: SocketAddress?) -> IssuedCertificate? {
        let subject = Self.subject(name, local: local)
        let now = now()
        if let known = state.withLock({ $0.use(subject, at: now) }) { return known }
        // Not under the lock, which the other workers' handshakes need.
        guard let issued = authority.issue(subject, at: now) else { return nil }
        return state.withLock { $0.use(subject, at: now) ?? $0.keep(issued, subject) }
    }
}
