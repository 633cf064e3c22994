internal import ProxyProtocol
public import Sockets

/// What the PROXY protocol adds to what is known of a connection. Immutable; a reference, so that the records of
/// connections without it stay small. Any thread.
public final class ProxyFacts: Hashable, Sendable {
    /// Who sent the header; nil where none came, or none was expected.
    public let peer: SocketAddress?
    /// The address that the client reached, by the header; nil where the header does not say.
    public let destination: SocketAddress?
    /// The header's version, `v1` or `v2`; nil without one.
    public let version: String?
    /// What tells the connection from all others over several proxies: the header's, or the one that Tapline sends on.
    /// Printable ASCII as it is; other bytes in hexadecimal, behind `0x`.
    public let uniqueID: String?
    /// The host name that the client asked for, by the header.
    public let authority: String?
    /// The version of the client's TLS, by the header.
    public let tlsVersion: String?
    /// What was wrong with what came in place of a header, half a sentence; nil where nothing was.
    public let fault: String?

    /// What is known.
    public init(
        peer: SocketAddress? = nil, destination: SocketAddress? = nil, version: String? = nil, uniqueID: String? = nil,
        authority: String? = nil, tlsVersion: String? = nil, fault: String? = nil
    ) {
        self.peer = peer
        self.destination = destination
        self.version = version
        self.uniqueID = uniqueID
        self.authority = authority
        self.tlsVersion = tlsVersion
        self.fault = fault
    }

    /// A header has come.
    convenience init(_ header: ProxyHeader, from peer: SocketAddress) {
        self.init(
            peer: peer, destination: header.endpoints?.destination, version: header.version == .v1 ? "v1" : "v2",
            uniqueID: header.uniqueID.map(Self.text), authority: header.authority, tlsVersion: header.tlsVersion)
    }

    /// The same with the unique id that goes to the upstream.
    func sending(uniqueID: String) -> ProxyFacts {
        ProxyFacts(
            peer: peer, destination: destination, version: version, uniqueID: uniqueID, authority: authority,
            tlsVersion: tlsVersion, fault: fault)
    }

    private static func text(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
        return "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private var all: [AnyHashable] { [peer, destination, version, uniqueID, authority, tlsVersion, fault] }

    /// Equal when everything known is.
    public static func == (left: ProxyFacts, right: ProxyFacts) -> Bool {
        left === right || left.all == right.all
    }

    /// Hashes everything known.
    public func hash(into hasher: inout Hasher) { hasher.combine(all) }
}
