internal import Sockets

/// The SPECs that were probably meant by SPECs of `tapline forward` that are wrong.
///
/// Proposed are only SPECs that `forward` accepts. Where a spelling has two likely meanings, both are proposed.
public struct ForwardProposal: Hashable, Sendable {
    /// What is wrong, in a few words.
    public let reason: String
    /// One or two complete lists of SPECs, the likelier one first.
    public let alternatives: [[String]]

    /// A repaired SPEC: why it had to be repaired, and what may have been meant.
    private typealias Repair = (reason: String, specs: [String])

    /// The proposal for SPECs with a mistake; nil where none is likely enough. Relative paths of Unix sockets are
    /// resolved in the directory.
    public init?(for specs: [String], directory: String) {
        func isValid(_ specs: [String]) -> Bool {
            (try? ForwardSpec.relays(specs, directory: directory)) != nil
        }
        var reason: String?
        var alternatives: [[String]] = []
        if (2...4).contains(specs.count), !specs.contains(where: { isValid([$0]) }) {
            // `8080 localhost:8000`, as some tools take it.
            let word = specs.map { Self.withoutURL($0) }.joined(separator: ":")
            reason = "a SPEC is one word"
            alternatives = isValid([word]) ? [[word]] : Self.repair(word, isValid)?.specs.map { [$0] } ?? []
        }
        if alternatives.isEmpty {
            alternatives = [[]]
            reason = nil
            for spec in specs {
                guard !isValid([spec]) else {
                    alternatives = alternatives.map { $0 + [spec] }
                    continue
                }
                guard let repair = Self.repair(spec, isValid) else { return nil }
                reason = reason ?? repair.reason
                alternatives = repair.specs.flatMap { spec in alternatives.map { $0 + [spec] } }
            }
        }
        alternatives = alternatives.filter(isValid)
        guard let reason, !alternatives.isEmpty, alternatives.count <= 2 else { return nil }
        self.reason = reason
        self.alternatives = alternatives
    }

    private static func repair(_ spec: String, _ isValid: ([String]) -> Bool) -> Repair? {
        let tidy = SpecText(spec)
        var form = SecureSpec(tidy.text)
        var reason = tidy.reason
        if let parts = secureParts(of: tidy.text) {
            form = parts
            reason = reason ?? "TLS is written with `=`"
        }
        let hasUpstreamTLS = form.hasUpstreamTLS || tidy.hasUpstreamTLS
        let hasTLS = form.hasTLS || tidy.hasTLS
        func secured(_ specs: [String]) -> [String] {
            specs.compactMap { SecureSpec.spec($0, hasTLS: hasTLS, hasUpstreamTLS: hasUpstreamTLS) }
                .filter { isValid([$0]) }
        }
        if let reason, isValid([form.plain]) {
            let specs = secured([form.plain])
            return specs.isEmpty ? nil : (reason, specs)
        }
        guard let guess = guess(form.plain) else { return nil }
        let specs = secured(guess.specs)
        return specs.isEmpty ? nil : (reason ?? guess.reason, specs)
    }

    /// `8080:tls:localhost:8000` and `tls:8443:localhost:8080`: the words for TLS are parts of the `ssh -L` form.
    private static func secureParts(of text: String) -> SecureSpec? {
        let word = String(SecureSpec.word.dropLast())
        guard !text.contains("="), let parts = try? ForwardSpec.parts(of: text), parts.contains(word) else {
            return nil
        }
        let plain = parts.filter { $0 != word }
        // `tls:8443` may be a host and its port.
        guard plain.count > 1, parts.last != word else { return nil }
        return SecureSpec(
            plain: plain.joined(separator: ":"), hasTLS: parts.first == word,
            hasUpstreamTLS: parts.dropFirst().contains(word))
    }

    /// A word of a SPEC without its URL, and with `tls:` if the URL stood for TLS.
    private static func withoutURL(_ word: String) -> String {
        let tidy = SpecText(word)
        return tidy.hasUpstreamTLS ? SecureSpec.word + tidy.text : tidy.text
    }

    // MARK: By the parts between colons

    private static func guess(_ text: String) -> Repair? {
        guard !text.contains("="), let parts = try? ForwardSpec.parts(of: text) else { return nil }
        // `8080:/run/app.sock` and `8080:unix:/run/app.sock`.
        if let path = socketPath(in: text), let listen = path.listen.isEmpty ? nil : path.listen {
            return ("a Unix socket is written with `=`", ["\(listen)=unix:\(path.path)"])
        }
        switch parts.count {
        case 2: return guess(parts[0], parts[1])
        case 3: return guess(parts[0], parts[1], parts[2])
        case 4 where parts[0].isEmpty:
            let rest = parts.dropFirst().joined(separator: ":")
            return ("an empty address can mean loopback or every interface", [rest, "*:" + rest])
        case 5...: return guess(addressWithin: parts)
        default: return nil
        }
    }

    /// `8080:8000` and `localhost:8000`.
    private static func guess(_ first: String, _ second: String) -> Repair? {
        guard let port = portNumber(second) ?? WellKnownPort.number(of: second) else { return nil }
        if let listen = portNumber(first) {
            return ("no host to forward to", ["\(listen):localhost:\(port)"])
        }
        guard isHost(first), first != "*", first != "0.0.0.0" else { return nil }
        return ("no port to listen on", ["\(freePort(for: port, on: first)):\(first):\(port)"])
    }

    private static func guess(_ first: String, _ second: String, _ third: String) -> Repair? {
        switch (portNumber(first), portNumber(second), portNumber(third)) {
        case (let listen?, let port?, nil) where isHost(third):
            return ("the host comes before its port", ["\(listen):\(third):\(port)"])
        case (nil, let middle?, let last?) where first.isEmpty:
            return (
                "no host to forward to", ["\(middle):localhost:\(last)", "*:\(middle):localhost:\(last)"]
            )
        case (nil, let middle?, let last?) where isHost(first):
            // Either the wrong way round, or an address to listen on, as docker publishes a port.
            return (
                "the port to listen on comes first, or the host to forward to is missing",
                ["\(last):\(first):\(middle)", "\(first):\(middle):localhost:\(last)"]
            )
        default:
            // `8080:localhost:http`.
            guard let listen = portNumber(first) ?? WellKnownPort.number(of: first),
                let port = portNumber(third) ?? WellKnownPort.number(of: third), isHost(second)
            else { return nil }
            return ("a port is a number", ["\(listen):\(second):\(port)"])
        }
    }

    /// An IPv6 address without brackets, on either side.
    private static func guess(addressWithin parts: [String]) -> Repair? {
        let reason = "an IPv6 address is written in brackets"
        let inner = parts.dropFirst().dropLast().joined(separator: ":")
        if let listen = portNumber(parts[0]), let port = portNumber(parts[parts.count - 1]), IPv6Address(inner) != nil {
            return (reason, ["\(listen):[\(inner)]:\(port)"])
        }
        let bind = parts.dropLast(3).joined(separator: ":")
        guard IPv6Address(bind) != nil else { return nil }
        return (reason, ["[\(bind)]:" + parts.suffix(3).joined(separator: ":")])
    }

    private static func socketPath(in text: String) -> (listen: String, path: String)? {
        for mark in [":unix:", ":/"] {
            guard let range = text.firstRange(of: mark) else { continue }
            return (String(text[..<range.lowerBound]), (mark == ":/" ? "/" : "") + text[range.upperBound...])
        }
        return nil
    }

    // MARK: Parts

    private static func portNumber(_ text: String) -> UInt16? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16(text) : nil
    }

    private static func isHost(_ text: String) -> Bool {
        if text.hasPrefix("[") || IPv4Address(text) != nil { return true }
        return !text.isEmpty && text != "unix" && (try? HostName.checked(text)) != nil
    }

    /// A port to listen on: the same as the upstream's where that is another machine and needs no privilege.
    private static func freePort(for port: UInt16, on host: String) -> UInt16 {
        let isHere = HostName.isLocalhost(host) || IPv4Address(host)?.isLoopback == true || host == "[::1]"
        if port < 1024 { return port == 80 ? 8080 : port == 443 ? 8443 : port + 8000 }
        return isHere ? (port == 8080 ? 8081 : 8080) : port
    }
}
