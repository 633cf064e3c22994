import Recording

/// The packets of a capture that are not shown: one sentence for each kind, with their number.
struct SkippedRemarks {
    /// Half sentences that follow the file's name.
    let lines: [String]

    /// The most names in one sentence.
    private static let mostNames = 6

    init(_ skipped: SkippedPackets, segments: UInt64) {
        var lines: [String] = []
        func add(_ count: UInt64, _ what: String) {
            if count > 0 { lines.append("\(count) \(count == 1 ? "packet" : "packets") skipped: \(what)") }
        }
        let sorted = skipped.packets.sorted { ($1.value, Self.name($0.key)) < ($0.value, Self.name($1.key)) }
        let others = sorted.filter { Self.isOther($0.key) }
        if !others.isEmpty {
            let names = others.prefix(Self.mostNames).map { "\($0.value) \(Self.name($0.key))" }
            let rest = others.count > Self.mostNames ? " and others" : ""
            add(others.reduce(0) { $0 &+ $1.value }, "not TCP (\(names.joined(separator: ", "))\(rest))")
        }
        for (cause, count) in sorted where !Self.isOther(cause) {
            switch cause {
            case .tunnel(.nested): add(count, "nested in too many tunnels")
            case .tunnel(let tunnel):
                let isSpelled = [.esp, .espInUDP, .l2tp, .nsh, .ipComp].contains(tunnel)
                add(count, "in \(isSpelled ? "an" : "a") \(tunnel.rawValue) tunnel")
            case .fragment: add(count, "fragments of IP packets whose other fragments are missing")
            case .damaged: add(count, "damaged")
            case .cut: add(count, "truncated by the capture within their headers")
            case .link(let number): add(count, "of link type \(LinkType(number)), which is not supported")
            case .afterEnd:
                add(count, "\(Self.bytes(skipped.bytesAfterEnd)) of TCP data beyond the end of their connections")
            case .beforeStart:
                add(count, "\(Self.bytes(skipped.bytesBeforeStart)) of TCP data before the first byte that is shown")
            case .beyondWindow:
                add(count, "\(Self.bytes(skipped.bytesBeyondWindow)) of TCP data beyond the window of their receivers")
            case .ipProtocol, .etherType, .linkControl, .pointToPoint, .notIP: break
            }
        }
        if segments == 0, lines.isEmpty { lines.append("no packets") }
        self.lines = lines
    }

    private static func bytes(_ count: UInt64) -> String { "\(count) \(count == 1 ? "byte" : "bytes")" }

    private static func isOther(_ cause: SkipCause) -> Bool {
        switch cause {
        case .ipProtocol, .etherType, .linkControl, .pointToPoint, .notIP: true
        case .tunnel, .fragment, .damaged, .cut, .link, .afterEnd, .beforeStart, .beyondWindow: false
        }
    }

    // MARK: Names

    private static func name(_ cause: SkipCause) -> String {
        switch cause {
        case .ipProtocol(let number): ipProtocols[number] ?? "IP protocol \(number)"
        case .etherType(let number): etherTypes[number] ?? "EtherType 0x\(Self.hexadecimal(number))"
        case .linkControl: "LLC"
        case .pointToPoint: "PPP"
        case .notIP: "not IP"
        case .tunnel(let tunnel): tunnel.rawValue
        case .link(let number): "link type \(number)"
        case .fragment, .damaged, .cut, .afterEnd, .beforeStart, .beyondWindow: ""
        }
    }

    private static func hexadecimal(_ number: UInt16) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// IANA's registry of protocol numbers: those that captures have.
    private static let ipProtocols: [UInt8: String] = [
        0: "hop-by-hop options", 1: "ICMP", 2: "IGMP", 8: "EGP", 17: "UDP", 33: "DCCP", 46: "RSVP",
        47: "GRE without data", 58: "ICMPv6", 59: "IPv6 without payload", 88: "EIGRP", 89: "OSPF", 103: "PIM",
        112: "VRRP", 132: "SCTP", 136: "UDP-Lite",
    ]

    /// IEEE's registry of EtherTypes: those that captures have.
    private static let etherTypes: [UInt16: String] = [
        0x0806: "ARP", 0x8035: "RARP", 0x8137: "IPX", 0x80F3: "AppleTalk ARP", 0x809B: "AppleTalk", 0x8809: "LACP",
        0x8863: "PPPoE discovery", 0x8864: "PPPoE control", 0x888E: "802.1X", 0x88CC: "LLDP", 0x88F7: "PTP",
        0x8902: "802.1ag", 0x9000: "Ethernet loopback", 0x8892: "PROFINET", 0x88A4: "EtherCAT", 0x22F0: "AVTP",
        0x893A: "IEEE 1905.1", 0x88B8: "GOOSE", 0x8906: "FCoE",
    ]
}
