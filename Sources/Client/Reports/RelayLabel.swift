import Text

/// A relay's name in reports. Pure.
enum RelayLabel {
    /// The name; where it is only a port, as `tapline forward` names its relays, with the upstream:
    /// `8080 → localhost:8000`.
    static func text(of relay: JSONValue, arrow: String = "→") -> String {
        let name = (relay["name"].text ?? "?").harmless
        guard hasUpstream(relay), let upstream = relay["upstream"].text else { return name }
        return "\(name) \(arrow) \(upstream.harmless)"
    }

    /// Whether the name is only a port, `8080`, or `8080-2` of a second relay with this port.
    static func hasUpstream(_ relay: JSONValue) -> Bool {
        guard let name = relay["name"].text, !name.isEmpty, relay["upstream"].text != nil else { return false }
        return name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-") }
    }
}
