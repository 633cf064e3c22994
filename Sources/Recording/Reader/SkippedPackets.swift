/// Why a packet of a capture, or the data of a TCP segment, is not shown. A value; any thread.
public enum SkipCause: Hashable, Sendable {
    /// IPv4 or IPv6 that carries this protocol (IANA's registry of protocol numbers), which is not TCP.
    case ipProtocol(UInt8)
    /// A frame of this EtherType, which is not IP.
    case etherType(UInt16)
    /// An IEEE 802.2 frame that does not carry IP.
    case linkControl
    /// A packet of the point-to-point protocol that does not carry IP.
    case pointToPoint
    /// Neither IPv4 nor IPv6 where one of them is expected.
    case notIP
    /// A tunnel whose content cannot be read.
    case tunnel(Tunnel)
    /// A fragment of an IP packet whose other fragments the capture does not have.
    case fragment
    /// The lengths contradict each other, or the packet names an interface that the capture does not have.
    case damaged
    /// The capture kept so little of the packet that its headers are not whole.
    case cut
    /// A link layer that is not read, by its number in tcpdump.org's registry of LINKTYPE values.
    case link(UInt32)
    /// TCP data that a conversation cannot have sent any more: it lies beyond the conversation's end.
    case afterEnd
    /// TCP data that lies before the first byte that is shown of its flow.
    case beforeStart
    /// TCP data that lies beyond the window of its receiver, which acknowledged all data before it.
    case beyondWindow

    /// Tunnels that are recognised and not read.
    public enum Tunnel: String, Hashable, Sendable {
        /// Encrypted (RFC 4303).
        case esp = "ESP"
        /// Encrypted (RFC 3948).
        case espInUDP = "ESP-in-UDP"
        /// Compressed (RFC 3173).
        case ipComp = "IPComp"
        /// Version 3 (RFC 3931), or control messages.
        case l2tp = "L2TP"
        /// Signalling, or in a form that is not read (3GPP TS 29.281).
        case gtp = "GTP-U"
        /// In a form that is not read (RFC 4380).
        case teredo = "Teredo"
        /// Encrypted.
        case wireGuard = "WireGuard"
        /// Encrypted (IEEE 802.1AE).
        case macsec = "MACsec"
        /// A network service header (RFC 8300).
        case nsh = "NSH"
        /// GRE in a form that is not read, such as with source routes.
        case gre = "GRE"
        /// VXLAN in a form that is not read.
        case vxlan = "VXLAN"
        /// Geneve in a form that is not read.
        case geneve = "Geneve"
        /// More tunnels inside each other than are read.
        case nested = "nested"
    }
}

/// How many packets of a capture hold nothing that can be shown, by cause. A value; any thread.
public struct SkippedPackets: Hashable, Sendable {
    /// Packets by cause. Bounded: link types and EtherTypes have 16 bits, protocols 8.
    public private(set) var packets: [SkipCause: UInt64] = [:]
    /// Bytes of TCP data that lie beyond the end of their conversation.
    public private(set) var bytesAfterEnd: UInt64 = 0
    /// Bytes of TCP data that lie before the first byte that is shown.
    public private(set) var bytesBeforeStart: UInt64 = 0
    /// Bytes of TCP data that lie beyond their receiver's window.
    public private(set) var bytesBeyondWindow: UInt64 = 0

    /// None yet.
    public init() {}

    /// Counts packets.
    mutating func add(_ cause: SkipCause, packets count: UInt64 = 1) {
        guard count > 0 else { return }
        packets[cause, default: 0] &+= count
    }

    /// Counts a TCP segment whose data is not shown.
    mutating func add(_ cause: SkipCause, bytes: Int) {
        add(cause)
        switch cause {
        case .afterEnd: bytesAfterEnd &+= UInt64(max(0, bytes))
        case .beyondWindow: bytesBeyondWindow &+= UInt64(max(0, bytes))
        default: bytesBeforeStart &+= UInt64(max(0, bytes))
        }
    }

    /// Adds what was counted elsewhere.
    mutating func add(_ others: SkippedPackets) {
        for (cause, count) in others.packets { add(cause, packets: count) }
        bytesAfterEnd &+= others.bytesAfterEnd
        bytesBeforeStart &+= others.bytesBeforeStart
        bytesBeyondWindow &+= others.bytesBeyondWindow
    }
}
