/// The `SPEC`s of `tapline forward`: `[BIND:]PORT:HOST:HOSTPORT` as in `ssh -L`, or `LISTEN=UPSTREAM`.
///
/// ```
/// 8080:example.com:80            loopback, both families
/// *:8080:example.com:80          every interface
/// 127.0.0.1:5433:db:5432         one address
/// 8080:[::1]:80                  IPv6 in brackets
/// 127.0.0.1:8080=unix:/run/app.sock
/// 15001:original-destination     where redirected clients wanted to go
/// socks:1080                     where each client requests, by SOCKS 5 or HTTP CONNECT
/// 8080=tls:api.example.com:443   Tapline speaks TLS to the upstream
/// tls:8443=localhost:8080        clients speak TLS to Tapline
/// ```
public enum ForwardSpec {
    /// The two forms, for messages.
    static let shape = "write [BIND:]PORT:HOST:HOSTPORT, such as 8080:example.com:80"
    static let equalsShape = "write LISTEN=UPSTREAM, such as 8080=unix:/run/app.sock"

    /// The specs' relays, checked against each other. They are named after their ports or Unix sockets, and after the
    /// upstream where the port is any free one. The error contains every mistake. Relative paths of Unix sockets are
    /// resolved in the directory, an absolute path.
    public static func relays(
        _ specs: [String], directory: String, timeouts: Timeouts = .forward
    ) throws(ForwardSpecErrors) -> [RelaySettings] {
        var messages: [String] = []
        var relays: [(spec: String, settings: RelaySettings)] = []
        var names: Set<String> = []
        for spec in specs {
            do throws(ValueError) {
                let form = SecureSpec(spec)
                let (listen, upstream) = try parse(form.plain, directory: directory)
                if form.hasUpstreamTLS, let message = form.obstacle(upstream) { throw ValueError(message) }
                let name = unused(upstream == .requested ? "socks" : baseName(listen, upstream), names)
                names.insert(name)
                relays.append(
                    (
                        spec,
                        RelaySettings(
                            name: name, listen: [listen], upstream: upstream, timeouts: timeouts,
                            tls: form.hasTLS ? TLSSettings(certificates: []) : nil,
                            upstreamTLS: form.hasUpstreamTLS ? UpstreamTLSSettings() : nil)
                    ))
            } catch {
                messages.append("\(quoted(spec)): \(error.message)")
            }
        }
        var check = CrossCheck()
        for (spec, relay) in relays {
            for listen in relay.listen {
                if let message = check.claim(listen, owner: quoted(spec), location: nil) {
                    messages.append("\(quoted(spec)): \(message)")
                }
            }
        }
        for (spec, relay) in relays {
            if let message = check.loop(relay.upstream) { messages.append("\(quoted(spec)): \(message)") }
        }
        guard messages.isEmpty else { throw ForwardSpecErrors(messages) }
        return relays.map(\.settings)
    }

    /// The beginning of a spec whose clients request their destinations: `socks:[BIND:]PORT`.
    private static let requestedPrefix = "socks:"
    private static let missingPort = ValueError(
        "the port is missing; write \(requestedPrefix)PORT, such as \(requestedPrefix)1080")

    /// Parses one spec.
    static func parse(
        _ spec: String, directory: String
    ) throws(ValueError) -> (listen: ListenAddress, upstream: UpstreamAddress) {
        let sides: (listen: String, upstream: String)
        if spec.hasPrefix(requestedPrefix) {
            sides = (String(spec.dropFirst(requestedPrefix.count)), UpstreamAddress.requested.description)
            guard !sides.listen.isEmpty else { throw missingPort }
        } else if spec == requestedPrefix.dropLast() {
            throw missingPort
        } else if let equals = spec.firstIndex(of: "=") {
            sides = (String(spec[..<equals]), String(spec[equals...].dropFirst()))
            guard !sides.listen.isEmpty, !sides.upstream.isEmpty else {
                throw ValueError("nothing \(sides.listen.isEmpty ? "before" : "after") the `=`; \(equalsShape)")
            }
        } else {
            sides = try divided(spec)
        }
        let listen = try ListenAddress(parsing: sides.listen, directory: directory)
        let upstream = try UpstreamAddress(parsing: sides.upstream, directory: directory)
        if upstream == .originalDestination, listen.port == nil {
            throw ValueError("clients cannot be redirected to a Unix socket; listen on a port")
        }
        if upstream == .requested, let message = ListenAddress.lackOfAccessControl(listen) {
            throw ValueError(message)
        }
        return (listen, upstream)
    }

    /// The listener and the upstream of the `ssh -L` form: the host is the last part but one.
    private static func divided(_ spec: String) throws(ValueError) -> (listen: String, upstream: String) {
        guard !spec.contains("://") else {
            throw ValueError("Tapline forwards TCP, not URLs; \(shape)")
        }
        let parts = try parts(of: spec)
        guard !parts.contains("unix"), !parts.contains(where: { $0.hasPrefix("/") }) else {
            throw ValueError("a Unix socket is written with `=`; \(equalsShape)")
        }
        let decidedLater = [UpstreamAddress.originalDestination, .requested].map(\.description)
        if let last = parts.last, parts.count > 1, decidedLater.contains(last) {
            return (parts.dropLast().joined(separator: ":"), last)
        }
        if parts.count == 1, spec == UpstreamAddress.originalDestination.description {
            throw ValueError("the port is missing; write PORT:\(spec), such as 15001:\(spec)")
        }
        switch parts.count {
        case 3, 4:
            if let empty = parts.firstIndex(of: "") {
                throw ValueError("\(missing(empty, of: parts.count)); \(shape)")
            }
            let host = parts.count - 2
            // `*:8080:localhost`
            if parts.count == 3, DecimalText(parts[0]) == .notDigits, DecimalText(parts[2]) == .notDigits {
                throw ValueError("the host or the port of the destination is missing; \(shape)")
            }
            return (
                parts[..<host].joined(separator: ":"), "\(parts[host]):\(parts[host + 1])"
            )
        case 0...1: throw ValueError("no destination given; \(shape)")
        case 2: throw ValueError("the host or the port of the destination is missing; \(shape)")
        default: throw ValueError("too many `:`; put an IPv6 address in brackets, such as 8080:[::1]:80")
        }
    }

    /// What is missing where a part of the `ssh -L` form is empty.
    private static func missing(_ position: Int, of count: Int) -> String {
        switch position - (count - 3) {
        case ..<0: "no address before the first colon (`*` is every interface)"
        case 0: "no port to listen on"
        case 1: "no host to forward to"
        default: "no port to forward to"
        }
    }

    /// The parts between colons, except colons in brackets.
    static func parts(of spec: String) throws(ValueError) -> [String] {
        var parts = [""]
        var isInside = false
        for character in spec {
            if character == "[" { isInside = true }
            if character == "]" { isInside = false }
            if character == ":", !isInside {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        guard !isInside else { throw ValueError("a `[` is not closed; \(shape)") }
        return parts
    }

    // MARK: Names

    private static func baseName(_ listen: ListenAddress, _ upstream: UpstreamAddress) -> String {
        switch listen {
        case .loopback, .everyInterface, .address:
            // Port 0 is a free port, not known yet.
            guard let port = listen.port, port > 0 else { return name("\(upstream)", joining: "-") ?? "any" }
            return "\(port)"
        case .unix(let path, _): return name(path, joining: "") ?? "unix"
        }
    }

    /// The last part of a path, or an address, with a separator in the place of characters that names do not have. Nil
    /// if nothing is left.
    private static func name(_ text: String, joining separator: String) -> String? {
        let last = text.split(separator: "/").last ?? ""
        let pieces = last.split { !$0.isASCII || !($0.isLetter || $0.isNumber || "_-.".contains($0)) }
        let name = pieces.joined(separator: separator).drop { !$0.isLetter && !$0.isNumber }
        return name.isEmpty ? nil : String(name.prefix(RelaySettings.longestName - 8))
    }

    private static func unused(_ base: String, _ names: Set<String>) -> String {
        var name = base
        var number = 2
        while names.contains(name) {
            name = "\(base)-\(number)"
            number += 1
        }
        return name
    }
}

/// Every mistake in the `SPEC`s of a command line.
public struct ForwardSpecErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one; each names its `SPEC`, what is wrong and what would be right.
    public let messages: [String]

    /// Wraps the messages.
    public init(_ messages: [String]) {
        self.messages = messages
    }

    /// One line for each mistake.
    public var description: String { messages.joined(separator: "\n") }
}
