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
            let isClient = record.connectDuration == nil && record.upstreamAddress == nil
            let limit = settings.name(isClient ? .clientHandshake : .upstreamHandshake)
            return [
                "A TLS handshake was not complete within \(limit), so Tapline reset the connection \(when).",
                silence(record, isClient ? .client : .upstream, settings),
            ]
        case .tlsCertificateRefused:
            return [
                "\(text)\(code); the TLS handshake failed \(when).",
                (remedy
                    ?? "Compare what was presented with what is required: the names, the dates and the authority.")
                    + " \(place)",
            ]
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
}
