internal import ProxyProtocol
public import Sockets

/// What the PROXY protocol adds to a connection's record. Immutable; a reference, so that records of other connections
/// stay small. Any thread.
public final class ProxyFacts: Hashable, Sendable {
    /// The sender of the header: the client socket's peer; nil without a header.
    public let peer: SocketAddress?
    /// The address that the client reached, from the header; nil if the header has none.
    public let destination: SocketAddress?
    /// The header's version, `v1` or `v2`; nil without one.
    public let version: String?
    /// The unique id of the connection across several proxies: the header's, or the one that Tapline sends. Printable ASCII
    /// unchanged; other bytes in hexadecimal, after `0x`.
    public let uniqueID: String?
    /// The host name that the client requested, from the header.
    public let authority: String?
    /// The version of the client's TLS, from the header.
    public let tlsVersion: String?
    /// Why the client's first bytes are no header, half a sentence; nil without a fault.
    public let fault: String?

    /// Facts known so far.
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

    /// The facts in a header.
    convenience init(_ header: ProxyHeader, from peer: SocketAddress) {
        self.init(
            peer: peer, destination: header.endpoints?.destination, version: header.version == .v1 ? "v1" : "v2",
            uniqueID: header.uniqueID.map(Self.text), authority: header.authority, tlsVersion: header.tlsVersion)
    }

    /// A copy with the unique id that is sent to the upstream.
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

    /// Equal if every fact is.
    public static func == (left: ProxyFacts, right: ProxyFacts) -> Bool {
        left === right || left.all == right.all
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) { hasher.combine(all) }
}
