import Terminal
import Text

extension Words {
    /// The side that did not read when a connection ended, and for how long.
    static func waited(_ connection: JSONValue) -> String {
        guard let side = connection["waited_for"].text else { return "-" }
        return "\(side.harmless) reads \(age(connection["waited_ms"].count))"
    }

    /// What a connection waits for, in one or two words, and for how long.
    static func waits(_ waits: JSONValue) -> String {
        guard let subject = waits["for"].text else { return "-" }
        let words =
            switch subject {
            case "proxy_header": "PROXY header"
            case "tls_hello": "TLS hello"
            case "request": "request"
            case "tls_handshake": "TLS handshake"
            case "upstream_tls_handshake": "upstream TLS"
            case "name": "name lookup"
            case "connect": "connect"
            case "upstream_up": "upstream up"
            case "client_reads": "client reads"
            case "upstream_reads": "upstream reads"
            case "both_read": "both read"
            case "client_sends": "client sends"
            case "upstream_sends": "upstream sends"
            case "anyone_sends": "first byte"
            case "sent": "delivery"
            case "recording": "recording"
            default: subject.harmless
            }
        return "\(words) \(age(waits["ms"].count))"
    }
}
