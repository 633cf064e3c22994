internal import TLSHello

/// What a TLS ClientHello adds to a connection's record, for relays with `tls_routing`. Immutable; a reference, so that
/// records of other connections stay small. Any thread.
///
/// Texts from the client are printable ASCII, with other bytes as `\x0a`, and of bounded length.
public final class TLSFacts: Hashable, Sendable {
    /// The server name as sent; nil without one.
    public let serverName: String?
    /// The application protocols offered, in the client's order, separated by commas; nil without any.
    public let applications: String?
    /// The highest version of TLS offered, such as `TLS 1.3`; nil if it has no name.
    public let version: String?
    /// The route that matched, such as `*.example.com`; nil without one.
    public let route: String?
    /// Why the client's first bytes are no ClientHello, half a sentence; nil without a fault.
    public let fault: String?

    /// Facts known so far.
    public init(
        serverName: String? = nil, applications: String? = nil, version: String? = nil, route: String? = nil,
        fault: String? = nil
    ) {
        self.serverName = serverName
        self.applications = applications
        self.version = version
        self.route = route
        self.fault = fault
    }

    /// The facts in a hello, and its route.
    convenience init(_ hello: Hello, route: TLSRoutes.Route?) {
        self.init(
            serverName: hello.serverName.map(Hello.harmless), applications: Self.text(of: hello.applications),
            version: hello.version.flatMap(Hello.name), route: route?.pattern)
    }

    /// The same hello with another route.
    convenience init(_ facts: TLSFacts, route: TLSRoutes.Route?) {
        self.init(
            serverName: facts.serverName, applications: facts.applications, version: facts.version,
            route: route?.pattern, fault: facts.fault)
    }

    /// The names of application protocols take at most this many bytes.
    private static let longest = 255

    private static func text(of applications: [[UInt8]]) -> String? {
        guard !applications.isEmpty else { return nil }
        var text = ""
        for application in applications {
            // A comma inside a name would divide it.
            let name = Hello.harmless(application).replacing(",", with: "\\x2c")
            if !text.isEmpty { text += "," }
            guard text.utf8.count + name.utf8.count <= longest else { return text + "..." }
            text += name
        }
        return text
    }

    private var all: [String?] { [serverName, applications, version, route, fault] }

    /// Equal if every fact is.
    public static func == (left: TLSFacts, right: TLSFacts) -> Bool {
        left === right || left.all == right.all
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) { hasher.combine(all) }
}
