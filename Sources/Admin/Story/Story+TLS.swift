internal import Relay
internal import Sockets

/// TLS sessions in sentences.
extension Story {
    /// The sessions that were negotiated, and a stream that ended without close_notify although the connection's end has
    /// another reason.
    static func sessions(_ record: ConnectionRecord, _ settings: StorySettings) -> [String] {
        guard let sessions = record.sessions else { return [] }
        var sentences: [String] = []
        for (name, session) in [("client", sessions.client), ("upstream", sessions.upstream)] {
            guard let parameters = session.parameters else { continue }
            let application = session.application.map { ", ALPN \($0)" } ?? ""
            let peer = session.peer.map { ", and the certificate of the \(name) is for \($0)" } ?? ""
            sentences.append("The \(name) speaks \(parameters)\(application)\(peer).")
        }
        if let name = sessions.serverName, let substitute = sessions.substitute {
            sentences.append("Tapline has no certificate for \(name); it sent the first one, \(substitute).")
        }
        if let fault = sessions.fault, record.end.map({ !$0.reason.isOfSession }) ?? true {
            let key = settings.origin == .file ? " (`truncation: pass`)" : ""
            sentences.append(
                "The \(fault.side.rawValue) \(fault.text): nothing proves that its stream is complete. It was passed on as an "
                    + "end of stream\(key).")
        }
        return sentences
    }

    /// Why a handshake or a session has failed.
    static func sessions(
        _ record: ConnectionRecord, _ reason: EndReason, _ code: String, _ when: String, _ settings: StorySettings
    ) -> [String] {
        let fault = record.sessions?.fault
        let side = fault?.side ?? .client
        let place = settings.ofTLS(with: side, of: record.relay)
        let text = fault.map { "The \($0.side.rawValue) \($0.text)" } ?? "No reason is known"
        let remedy = fault?.remedy.map { Story.advice($0, record, side, settings) }
        switch reason {
        case .tlsHandshakeTimeout:
            let waited: Side = record.connectDuration == nil && record.upstreamAddress == nil ? .client : .upstream
            return [
                "The TLS handshake with the \(waited) was not complete within \(settings.limitOfHandshake(with: waited)), so Tapline "
                    + "reset the connection \(when).",
                silence(record, waited, settings),
            ]
        case .tlsCertificateRefused:
            return [
                "\(text)\(code); the TLS handshake failed \(when).",
                refusal(fault),
                (remedy
                    ?? "Compare what was presented with what is required: the names, the dates and the authority.")
                    + " \(place)",
            ].compactMap(\.self)
        case .tlsTruncated:
            let setting = StorySettings.Setting.clientTruncation
            let change = settings.change("set", side == .client ? setting : .upstreamTruncation)
            return [
                "\(text) \(when), so that its stream may be incomplete, and Tapline reset the other side "
                    + "(`truncation: reset`).",
                "The program exited or was killed, or it ends TLS without close_notify. To accept that, \(change) to pass.",
            ]
        case .tlsHandshakeFailed:
            return [
                "\(text)\(code); the TLS handshake failed \(when).",
                (remedy ?? Self.shareVersion) + " \(place)",
            ]
        default:
            return [
                "\(text)\(code), which ended its TLS session \(when); the other side was reset.",
                "An alert has its reason in the log of the program that sent it. Bytes that are not valid mean that "
                    + "something between the two has changed them.",
            ]
        }
    }

    /// Who has refused whose certificate; nil if that is not known. A record's `closed_by` is the same side for both.
    private static func refusal(_ fault: SessionFacts.Fault?) -> String? {
        switch fault?.refusal {
        case .byTapline: fault.map { "It was Tapline that refused the \($0.side.rawValue)." }
        case .byPeer: fault.map { "It was the \($0.side.rawValue) that refused Tapline." }
        case nil: nil
        }
    }

    // MARK: Clients that leave

    /// A side that was reset although it had everything.
    static func closedUnread(_ side: Side) -> String {
        let examples = side == .client ? "Python and wget do" : "PostgreSQL does"
        return "The \(side.rawValue) closed without reading the end of TLS (close_notify), as \(examples); every byte "
            + "had been sent to it."
    }

    /// A client that reset the connection before Tapline had tried to connect the upstream.
    static func leavingEarly(_ record: ConnectionRecord, _ code: String, _ when: String) -> [String] {
        guard record.earlyReset == .inHandshake else {
            return [
                "The client reset the connection\(code) before it sent what the relay needs first, \(when); Tapline had not "
                    + "connected to an upstream."
            ]
        }
        return [
            "The client reset the connection\(code) during its TLS handshake, \(when), and sent no alert that says why; Tapline "
                + "had not connected to an upstream.",
            "The client's program was stopped, or gave up. A client that does not accept the certificate sends an alert.",
        ]
    }

    /// A client that closed because of what the relay offers or requires before TLS.
    static func leaving(_ unmet: SessionFacts.Unmet, _ when: String) -> [String] {
        let cause =
            switch unmet {
            case .postgresTLS:
                "The client asked for TLS (SSLRequest), which this relay does not offer to its clients: add `tls` with "
                    + "`starttls: postgres`, or let the client use sslmode=prefer or disable."
            case .mailWithoutTLS(let name, let answer):
                "The client spoke \(name) without STARTTLS, which this relay requires (answered \(answer))."
            }
        return ["The client closed the connection \(when), before Tapline had connected to an upstream.", cause]
    }
}
