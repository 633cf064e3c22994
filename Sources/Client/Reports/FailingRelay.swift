import Terminal
import Text

/// A relay's recent connects, of the `recent_connects` in the API's answers. Pure.
package struct FailingRelay {
    private let connects: JSONValue

    /// Of the API's object of a relay.
    init(_ relay: JSONValue) {
        connects = relay["recent_connects"]
    }

    /// Its connects fail now.
    var isFailing: Bool { connects["failing"].isTrue }

    /// `upstream refuses connections: 269 of 270 connects in the last 5 min failed`
    var sentence: String { "\(cause): \(share) in the last \(window) failed" }

    private var share: String {
        guard failed >= attempts else { return "\(failed) of \(attempts) connects" }
        return attempts == 1 ? "the only connect" : "all \(attempts) connects"
    }

    /// `269/269 refused` while they fail, `3/240 failed` if only some did; empty without a failure.
    var ratio: String {
        guard failed > 0 else { return "" }
        return "\(failed)/\(attempts) \(isFailing ? word : "failed")"
    }

    private var failed: UInt64 { connects["failed"].count ?? 0 }
    private var attempts: UInt64 { connects["attempts"].count ?? 0 }

    private var window: String {
        "\((connects["window_ms"].count ?? 0) / 60_000) min"
    }

    private var cause: String {
        switch connects["last_failure"].text {
        case "connect_refused": "upstream refuses connections"
        case "connect_timeout": "upstream does not answer"
        case "connect_unreachable": "upstream is unreachable"
        case "name_not_found": "the upstream's name does not exist"
        case "name_lookup_failed": "the upstream's name cannot be resolved"
        case "no_local_port": "no local port is free"
        case "loop": "upstream is one of Tapline's own listeners"
        case "over_limit": "a system limit prevents connecting"
        case "tls_certificate_refused": "TLS with the upstream fails (a certificate is refused)"
        case "tls_handshake_failed": "the TLS handshake with the upstream fails"
        case "tls_handshake_timeout": "upstream does not complete the TLS handshake"
        default: "connecting to the upstream fails"
        }
    }

    private var word: String {
        switch connects["last_failure"].text {
        case "connect_refused": "refused"
        case "connect_timeout": "timed out"
        case "connect_unreachable": "unreachable"
        case "name_not_found", "name_lookup_failed": "no address"
        case "tls_certificate_refused", "tls_handshake_failed", "tls_handshake_timeout": "without TLS"
        default: "failed"
        }
    }
}
