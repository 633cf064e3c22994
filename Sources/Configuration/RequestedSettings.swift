public import Sockets

/// `requested:`, of a relay whose clients request their destinations (`upstream: requested`).
public struct RequestedSettings: Hashable, Sendable {
    /// `allow`: the permitted destinations; nil: every one.
    public var allow: [RequestRule]?
    /// `timeout`: the time for a complete request, from accept or from the PROXY header on; zero: unlimited.
    public var timeout: Duration

    /// Settings with these values.
    public init(allow: [RequestRule]? = nil, timeout: Duration = RequestedSettings.defaultTimeout) {
        self.allow = allow
        self.timeout = timeout
    }

    /// The default of `timeout`. A SOCKS 5 client waits for one answer before its request, so that a lost packet costs
    /// more than with a TLS ClientHello.
    public static let defaultTimeout = Duration.seconds(5)
    /// Its minimum: a packet that is lost once is retransmitted after one second (RFC 6298, section 2).
    static let leastTimeout = Duration.seconds(1)

    /// Whether a destination is permitted.
    public enum Verdict: Hashable, Sendable {
        /// Permitted, and so is every address of its name.
        case allowed
        /// It is a name that no rule contains: an address of it may be connected if `allows` permits it.
        case byAddress
        /// Not permitted; a lookup of its name cannot change that.
        case refused
    }

    /// Whether a destination is permitted, before its name is looked up.
    public func verdict(on destination: UpstreamAddress) -> Verdict {
        guard let allow else { return .allowed }
        switch destination {
        case .address(let address):
            return allows(address) ? .allowed : .refused
        case .name(let name, let port):
            if allow.contains(where: { $0.contains(name: name, port: port) }) { return .allowed }
            return allow.contains { $0.mayContain(addressWithPort: port) } ? .byAddress : .refused
        case .linkLocal, .originalDestination, .requested:
            return .refused
        }
    }

    /// Whether a rule contains an address.
    public func allows(_ address: SocketAddress) -> Bool {
        allow?.contains { $0.contains(address) } ?? true
    }
}

/// One entry of `requested.allow`: a network or a name, with one port or every port.
public enum RequestRule: Hashable, Sendable {
    /// `10.0.0.0/8`, `10.0.0.0/8:443`, `2001:db8::1`, `[2001:db8::/32]:443`: destinations by their address, also that of a
    /// requested name.
    case network(Network, port: UInt16?)
    /// `db.example.com:5432`, `*.example.com:443`: destinations by the requested name, whatever its addresses are.
    case name(ServerName, port: UInt16?)

    /// Parses an entry.
    public init(parsing text: String) throws(ValueError) {
        if let network = Network(text) {
            self = .network(network, port: nil)
            return
        }
        if text.first == "[" {
            let parts = text.dropFirst().split(separator: "]", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let network = Network(String(parts[0])) else { throw Self.mistake(text) }
            self = .network(network, port: parts[1].isEmpty ? nil : try Self.port(parts[1], in: text))
            return
        }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        let host = String(text[..<colon])
        let port = colon == text.endIndex ? nil : try Self.port(text[colon...], in: text)
        if let network = Network(host) {
            self = .network(network, port: port)
            return
        }
        guard !host.dropFirst(host.hasPrefix("*.") ? 2 : 0).contains(where: { $0 == "*" || $0 == "/" }) else {
            throw Self.mistake(text)
        }
        self = .name(try ServerName(parsing: host), port: port)
    }

    /// A port with the colon before it.
    private static func port(_ text: Substring, in whole: String) throws(ValueError) -> UInt16 {
        guard text.first == ":", case .number(let number) = DecimalText(text.dropFirst()),
            let port = UInt16(exactly: number), port != 0
        else { throw mistake(whole) }
        return port
    }

    private static func mistake(_ text: String) -> ValueError {
        ValueError(
            "\(quoted(text)) is not a destination; write a network such as 10.0.0.0/8 or \"[2001:db8::/32]:443\", or a name "
                + "such as db.example.com:5432 or \"*.example.com:443\"; a port is from 1 to 65535")
    }

    /// Whether a requested name and port are in it.
    func contains(name: String, port: UInt16) -> Bool {
        guard case .name(let rule, let only) = self, only == nil || only == port else { return false }
        var name = name.lowercased()[...]
        if name.last == "." { name.removeLast() }
        switch rule {
        case .exactly(let exact): return name == exact
        case .below(let parent): return name.hasSuffix(".\(parent)") && name.utf8.count > parent.utf8.count + 1
        }
    }

    /// Whether an address is in it.
    func contains(_ address: SocketAddress) -> Bool {
        guard case .network(let network, let only) = self, only == nil || only == address.port else { return false }
        return network.contains(address)
    }

    /// Whether an address with this port could be in it.
    func mayContain(addressWithPort port: UInt16) -> Bool {
        if case .network(_, let only) = self { only == nil || only == port } else { false }
    }

    /// A list in the file's notation.
    static func text(of rules: [RequestRule]) -> String {
        rules.map(\.description).joined(separator: ", ")
    }
}

extension RequestRule: CustomStringConvertible {
    /// The configuration's notation, which parses as the same rule.
    public var description: String {
        switch self {
        case .network(let network, nil): "\(network)"
        case .network(let network, let port?):
            network.description.contains(":") ? "[\(network)]:\(port)" : "\(network):\(port)"
        case .name(let name, let port): "\(name)" + (port.map { ":\($0)" } ?? "")
        }
    }
}
