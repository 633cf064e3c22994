internal import Sockets

/// The server name of a client (RFC 6066, section 3) as the subject of a certificate. Pure.
enum RequestedName: Hashable {
    /// A host name, in lower case and without a root dot.
    case host(String)
    /// An IP address. RFC 6066 does not allow it, but some clients send it.
    case address(String)

    /// The longest name in DNS (RFC 1035, section 2.3.4).
    private static let longest = 253
    private static let longestLabel = 63

    /// Nil if no certificate can have the name.
    init?(_ text: String) {
        if let address = IPv4Address(text) {
            self = .address("\(address)")
            return
        }
        if let address = IPv6Address(text) {
            self = .address("\(address)")
            return
        }
        var name = text.lowercased()[...]
        if name.hasSuffix(".") { name = name.dropLast() }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= Self.longest, labels.allSatisfy(Self.isLabel) else { return nil }
        self = .host(String(name))
    }

    /// Letters, digits, hyphens inside, and underscores, which service names of containers have.
    private static func isLabel(_ label: Substring) -> Bool {
        let bytes = label.utf8
        let isAllowed = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return !bytes.isEmpty && bytes.count <= longestLabel && bytes.allSatisfy(isAllowed)
            && bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-")
    }
}
