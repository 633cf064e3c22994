internal import Glibc
internal import Sockets

/// The system's settings, read once at start.
struct SystemFacts: Sendable {
    /// A congestion control without pacing, for the sockets of loopback peers; nil if the system's default does not
    /// pace.
    ///
    /// bbr paces even loopback: a splicing relay goes from 22.6 to 40.9 Gbit/s when its own two sockets do not.
    var loopbackCongestionControl: String?
    /// The range of ports that the system assigns automatically.
    var ephemeralPorts: ClosedRange<UInt16>

    /// Reads the running system.
    static func read() -> SystemFacts {
        let current = word("/proc/sys/net/ipv4/tcp_congestion_control").first ?? "reno"
        let allowed = word("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
        let range = word("/proc/sys/net/ipv4/ip_local_port_range").compactMap { UInt16($0) }
        return SystemFacts(
            loopbackCongestionControl: nonPacing(current: current, allowed: allowed),
            ephemeralPorts: range.count == 2 && range[0] <= range[1] ? range[0]...range[1] : 32768...60999)
    }

    /// Chooses among those an ordinary user may set; reno is always one of them. Nil if nothing needs to change.
    static func nonPacing(current: String, allowed: [String]) -> String? {
        guard current.hasPrefix("bbr") else { return nil }
        return allowed.contains("cubic") ? "cubic" : "reno"
    }

    /// Whether a socket that connects to the address could be assigned the same port, and so connect to itself.
    func mayBeOwnPort(_ address: SocketAddress) -> Bool {
        guard let port = address.port else { return false }
        return ephemeralPorts.contains(port)
    }

    private static func word(_ path: String) -> [String] {
        guard let text = SmallFile.read(path) else { return [] }
        return text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
