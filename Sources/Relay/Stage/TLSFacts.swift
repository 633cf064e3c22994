internal import TLSHello

/// What a client's TLS ClientHello adds to what is known of a connection, for relays with `tls_routing`. Immutable; a
/// reference, so that the records of connections without it stay small. Any thread.
///
/// Everything here came from the client: it is printable ASCII, with other bytes as `\x0a`, and of bounded length.
public final class TLSFacts: Hashable, Sendable {
    /// The server name that was asked for, as it was sent; nil where none was.
    public let serverName: String?
    /// The application protocols that were offered, in the client's order, parted by commas; nil where none were.
    public let applications: String?
    /// The highest version of TLS that was offered, such as `TLS 1.3`; nil where that is none with a name.
    public let version: String?
    /// What of the configuration took the connection, such as `*.example.com`; nil where no route did.
    public let route: String?
    /// What was wrong with what came first, half a sentence; nil where nothing was.
    public let fault: String?

    /// What is known.
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

    /// A hello has come, and a route has taken it or not.
    convenience init(_ hello: Hello, route: TLSRoutes.Route?) {
        self.init(
            serverName: hello.serverName.map(Hello.harmless), applications: Self.text(of: hello.applications),
            version: hello.version.flatMap(Hello.name), route: route?.pattern)
    }

    /// So many bytes of names are told at most.
    private static let longest = 255

    private static func text(of applications: [[UInt8]]) -> String? {
        guard !applications.isEmpty else { return nil }
        var text = ""
        for application in applications {
            // A comma within a name would make two of it.
            let name = Hello.harmless(application).replacing(",", with: "\\x2c")
            if !text.isEmpty { text += "," }
            guard text.utf8.count + name.utf8.count <= longest else { return text + "..." }
            text += name
        }
        return text
    }

    private var all: [String?] { [serverName, applications, version, route, fault] }

    /// Equal when everything known is.
    public static func == (left: TLSFacts, right: TLSFacts) -> Bool {
        left === right || left.all == right.all
    }

    /// Hashes everything known.
    public func hash(into hasher: inout Hasher) { hasher.combine(all) }
}
