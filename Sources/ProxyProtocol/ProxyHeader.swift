public import Sockets

/// What the PROXY protocol says at the beginning of a connection: on whose behalf it was made.
///
/// A value without sockets: bytes become a header by `read`, a header becomes bytes by `bytes`. The rules are those of
/// HAProxy's `doc/proxy-protocol.txt`, versions 1 and 2; its sections are named where a rule comes from them.
public struct ProxyHeader: Hashable, Sendable {
    /// The two forms on the wire.
    public enum Version: Hashable, Sendable {
        /// A line of text.
        case v1
        /// Binary, with room for more than addresses.
        case v2
    }

    /// Who connected to whom, as whoever sent the header saw it. Both are of one kind, but for IPv4 addresses that came
    /// in their IPv6-mapped form, which are IPv4 ones here.
    public struct Endpoints: Hashable, Sendable {
        /// The client.
        public var source: SocketAddress
        /// The address that the client reached.
        public var destination: SocketAddress

        /// Both ends.
        public init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }

    /// Something that a header of version 2 says beside the addresses (section 2.2, "Type-Length-Value").
    public struct Extension: Hashable, Sendable {
        /// What it is; `ExtensionType` has those that mean something here.
        public var type: UInt8
        /// What it says, as it came.
        public var value: [UInt8]

        /// An extension.
        public init(type: UInt8, value: [UInt8]) {
            self.type = type
            self.value = value
        }
    }

    /// The registered types that mean something here (sections 2.2.2 to 2.2.6).
    public enum ExtensionType {
        /// The host name that the client asked for (TLS: the server name).
        public static let authority: UInt8 = 0x02
        /// A checksum of the header.
        public static let checksum: UInt8 = 0x03
        /// Nothing: padding.
        public static let padding: UInt8 = 0x04
        /// What tells the connection from all others, over several proxies.
        public static let uniqueID: UInt8 = 0x05
        /// What is known of the client's TLS.
        public static let tls: UInt8 = 0x20
        /// Inside of `tls`: the version in words.
        public static let tlsVersion: UInt8 = 0x21
    }

    /// The longest header that is read, of version 2 with all its extensions. The protocol allows 65,551 bytes; HAProxy
    /// reads 16 KiB (its buffer) and nginx 4 KiB, and a header is meant to fit into 536.
    public static let longest = 16 << 10
    /// The longest line of version 1, its end included (section 2.1).
    public static let longestLine = 107
    /// The longest unique id (section 2.2.5).
    public static let longestUniqueID = 128
    /// The longest host name, by HAProxy's bound (`PP2_AUTHORITY_MAX`).
    public static let longestAuthority = 255

    /// Which form it has.
    public var version: Version
    /// On whose behalf the connection was made; nil where the connection's own ends count, because the sender speaks
    /// for itself (LOCAL), does not know (UNKNOWN, UNSPEC), or speaks of something that is no stream.
    public var endpoints: Endpoints?
    /// In the order of the header, without checksum and padding.
    public var extensions: [Extension]

    /// A header.
    public init(version: Version, endpoints: Endpoints?, extensions: [Extension] = []) {
        self.version = version
        self.endpoints = endpoints
        self.extensions = extensions
    }

    // MARK: What extensions say

    /// The unique id; opaque bytes, 128 at most.
    public var uniqueID: [UInt8]? { value(of: ExtensionType.uniqueID) }

    /// The host name that the client asked for, as text.
    public var authority: String? {
        value(of: ExtensionType.authority).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The version of the client's TLS, such as `TLSv1.3`; nil where there is none or it is not told.
    public var tlsVersion: String? {
        // One byte of flags and four of the verification's result stand before further extensions (section 2.2.6).
        guard let value = value(of: ExtensionType.tls), value.count > 5, value[0] & 1 == 1,
            let parts = Self.extensions(in: value[5...])
        else { return nil }
        return parts.first { $0.type == ExtensionType.tlsVersion }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private func value(of type: UInt8) -> [UInt8]? {
        extensions.first { $0.type == type }?.value
    }
}
