public import Sockets

/// A header of the PROXY protocol, which names the original client of a proxied connection.
///
/// A value without sockets: `read` decodes it, `bytes` encodes it. The rules are those of HAProxy's
/// `doc/proxy-protocol.txt`, versions 1 and 2; section numbers refer to that document.
public struct ProxyHeader: Hashable, Sendable {
    /// The version of the encoding.
    public enum Version: Hashable, Sendable {
        /// A line of text.
        case v1
        /// Binary, with room for more than addresses.
        case v2
    }

    /// The connection's endpoints as the sender of the header saw them. Both have the same family, except that
    /// IPv4-mapped addresses become IPv4 here.
    public struct Endpoints: Hashable, Sendable {
        /// The client.
        public var source: SocketAddress
        /// The address that the client reached.
        public var destination: SocketAddress

        /// A pair of endpoints.
        public init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }

    /// An extension of a version 2 header (section 2.2, "Type-Length-Value").
    public struct Extension: Hashable, Sendable {
        /// The type; `ExtensionType` lists the supported ones.
        public var type: UInt8
        /// The undecoded value.
        public var value: [UInt8]

        /// An extension.
        public init(type: UInt8, value: [UInt8]) {
            self.type = type
            self.value = value
        }
    }

    /// The supported types (sections 2.2.2 to 2.2.6).
    public enum ExtensionType {
        /// The application protocol that was negotiated (ALPN).
        public static let application: UInt8 = 0x01
        /// The host name that the client requested (TLS: the server name).
        public static let authority: UInt8 = 0x02
        /// The header's checksum.
        public static let checksum: UInt8 = 0x03
        /// Padding.
        public static let padding: UInt8 = 0x04
        /// A unique ID of the connection across several proxies.
        public static let uniqueID: UInt8 = 0x05
        /// Properties of the client's TLS connection.
        public static let tls: UInt8 = 0x20
        /// Inside `tls`: the version as text.
        public static let tlsVersion: UInt8 = 0x21
        /// Inside `tls`: the common name in the client's certificate.
        public static let tlsCommonName: UInt8 = 0x22
        /// Inside `tls`: the cipher suite.
        public static let tlsCipher: UInt8 = 0x23
    }

    /// The longest accepted version 2 header, including extensions. The protocol allows 65,551 bytes and recommends at
    /// most 536; HAProxy accepts 16 KiB (its buffer) and nginx 4 KiB.
    public static let longest = 16 << 10
    /// The longest version 1 line, including CRLF (section 2.1).
    public static let longestLine = 107
    /// The longest unique ID (section 2.2.5).
    public static let longestUniqueID = 128
    /// The longest host name, as in HAProxy (`PP2_AUTHORITY_MAX`).
    public static let longestAuthority = 255

    /// The version of the encoding.
    public var version: Version
    /// The original endpoints; nil if the connection's own endpoints apply, because the sender connected for itself
    /// (LOCAL), does not know them (UNKNOWN, UNSPEC), or proxies something that is not a stream.
    public var endpoints: Endpoints?
    /// The extensions in the header's order, without checksum and padding.
    public var extensions: [Extension]

    /// A header.
    public init(version: Version, endpoints: Endpoints?, extensions: [Extension] = []) {
        self.version = version
        self.endpoints = endpoints
        self.extensions = extensions
    }

    // MARK: Extension values

    /// The unique ID; opaque bytes, at most 128.
    public var uniqueID: [UInt8]? { value(of: ExtensionType.uniqueID) }

    /// The host name that the client requested.
    public var authority: String? {
        value(of: ExtensionType.authority).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The client's TLS version, such as `TLSv1.3`; nil without TLS or if the header does not contain it.
    public var tlsVersion: String? {
        // One byte of flags and four bytes of verification result precede the nested extensions (section 2.2.6).
        guard let value = value(of: ExtensionType.tls), value.count > 5, value[0] & 1 == 1,
            let parts = Self.extensions(in: value[5...])
        else { return nil }
        return parts.first { $0.type == ExtensionType.tlsVersion }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private func value(of type: UInt8) -> [UInt8]? {
        extensions.first { $0.type == type }?.value
    }
}
