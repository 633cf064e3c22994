internal import Glibc
internal import Sockets

/// What the system is set to, read once at start.
struct SystemFacts: Sendable {
    /// A congestion control that does not pace, for the sockets of loopback peers; nil when the system's own does not.
    ///
    /// bbr paces even loopback: a splicing relay goes from 22.6 to 40.9 Gbit/s when its own two sockets do not.
    var loopbackCongestionControl: String?
    /// The ports that the system gives out by itself.
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

    /// Chooses among what an ordinary user may set; reno always is. Nil when nothing needs to change.
    static func nonPacing(current: String, allowed: [String]) -> String? {
        guard current.hasPrefix("bbr") else { return nil }
        return allowed.contains("cubic") ? "cubic" : "reno"
    }

    /// Whether an address could turn out to be the very socket that connects to it.
    func mayBeOwnPort(_ address: SocketAddress) -> Bool {
        guard let port = address.port else { return false }
        return ephemeralPorts.contains(port)
    }

    private static func word(_ path: String) -> [String] {
        guard let text = SmallFile.read(path) else { return [] }
        return text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
