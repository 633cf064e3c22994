/// Why a packet or a TCP segment's data is not shown. A value; any thread.
public enum SkipCause: Hashable, Sendable {
    /// An IP packet of this protocol (IANA's registry of protocol numbers), which is not TCP.
    case ipProtocol(UInt8)
    /// A frame of this EtherType, which is not IP.
    case etherType(UInt16)
    /// An IEEE 802.2 frame without IP.
    case linkControl
    /// A packet of the point-to-point protocol without IP.
    case pointToPoint
    /// Neither IPv4 nor IPv6 where IP is expected.
    case notIP
    /// A tunnel whose contents cannot be read.
    case tunnel(Tunnel)
    /// A fragment of an IP packet that is incomplete in the capture.
    case fragment
    /// Contradictory lengths, or an interface that the capture does not describe.
    case damaged
    /// The capture truncated the packet within its headers.
    case cut
    /// An unsupported link layer, by its number in tcpdump.org's registry of LINKTYPE values.
    case link(UInt32)
    /// TCP data after the end of its conversation.
    case afterEnd
    /// TCP data before the first byte of its flow that is shown.
    case beforeStart
    /// TCP data beyond the window of its receiver, which had acknowledged all data before it.
    case beyondWindow

    /// Tunnels that are recognised but not read.
    public enum Tunnel: String, Hashable, Sendable {
        /// Encrypted (RFC 4303).
        case esp = "ESP"
        /// Encrypted (RFC 3948).
        case espInUDP = "ESP-in-UDP"
        /// Compressed (RFC 3173).
        case ipComp = "IPComp"
        /// Version 3 (RFC 3931) or control messages.
        case l2tp = "L2TP"
        /// Signalling or an unsupported form (3GPP TS 29.281).
        case gtp = "GTP-U"
        /// An unsupported form (RFC 4380).
        case teredo = "Teredo"
        /// Encrypted.
        case wireGuard = "WireGuard"
        /// Encrypted (IEEE 802.1AE).
        case macsec = "MACsec"
        /// A network service header (RFC 8300).
        case nsh = "NSH"
        /// An unsupported form of GRE, such as with source routes.
        case gre = "GRE"
        /// An unsupported form of VXLAN.
        case vxlan = "VXLAN"
        /// An unsupported form of Geneve.
        case geneve = "Geneve"
        /// Tunnels nested too deeply.
        case nested = "nested"
    }
}

/// The packets of a capture that are not shown, by cause. A value; any thread.
public struct SkippedPackets: Hashable, Sendable {
    /// Packets by cause. Bounded: link types and EtherTypes have 16 bits, protocols 8.
    public private(set) var packets: [SkipCause: UInt64] = [:]
    /// Bytes of TCP data after the end of their conversation.
    public private(set) var bytesAfterEnd: UInt64 = 0
    /// Bytes of TCP data before the first byte that is shown.
    public private(set) var bytesBeforeStart: UInt64 = 0
    /// Bytes of TCP data beyond their receiver's window.
    public private(set) var bytesBeyondWindow: UInt64 = 0

    /// Empty counters.
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

    /// Adds other counters.
    mutating func add(_ others: SkippedPackets) {
        for (cause, count) in others.packets { add(cause, packets: count) }
        bytesAfterEnd &+= others.bytesAfterEnd
        bytesBeforeStart &+= others.bytesBeforeStart
        bytesBeyondWindow &+= others.bytesBeyondWindow
    }
}
