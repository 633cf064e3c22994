import Text

/// A relay's name in reports. Pure.
enum RelayLabel {
    /// The name; where it is only a port, as `tapline forward` names its relays, with the upstream:
    /// `8080 → localhost:8000`, or `tls 8443 → localhost:8000` where clients speak TLS.
    static func text(of relay: JSONValue, arrow: String = "→") -> String {
        let name = (relay["name"].text ?? "?").harmless
        guard hasUpstream(relay), let upstream = relay["upstream"].text else { return name }
        return "\(mark(relay, "tls"))\(name) \(arrow) \(mark(relay, "upstream_tls"))\(upstream.harmless)"
    }

    /// `tls ` where that side of a relay speaks TLS. `key`: `tls` or `upstream_tls`.
    static func mark(_ relay: JSONValue, _ key: String) -> String { relay[key].isTrue ? "tls " : "" }

    /// Whether the name is only a port, `8080`, or `8080-2` of a second relay with this port.
    static func hasUpstream(_ relay: JSONValue) -> Bool {
        guard let name = relay["name"].text, !name.isEmpty, relay["upstream"].text != nil else { return false }
        return name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-") }
    }
}
