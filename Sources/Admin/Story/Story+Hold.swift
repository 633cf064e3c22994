internal import Relay
internal import Sockets
internal import Text

extension Story {
    /// How long the client was held, and whether its upstream came up in that time; nil if it was not held.
    static func held(_ record: ConnectionRecord, _ settings: StorySettings) -> String? {
        guard let hold = record.hold else { return nil }
        let upstream = dialled(record)
        let setting = settings.name(.wait)
        let beginning =
            if hold.isConnected {
                "Tapline held the client for \(text(milliseconds: hold.held)) until \(upstream) was up (\(setting))."
            } else {
                "Tapline \(record.end == nil ? "has waited" : "waited") \(text(milliseconds: hold.held)) of at most "
                    + "\(text(milliseconds: hold.limit)) (\(setting)) for \(upstream) to come up."
            }
        let failure = failure(hold.reason, errno: hold.errno.map { "\($0.name)" }, settings)
        return "\(beginning) \(Quantity.number(hold.failures, "attempt")) failed; the last: \(failure)."
    }

    /// What Tapline connects to: the upstream, or the proxy through which it is connected.
    static func dialled(_ record: ConnectionRecord) -> String {
        record.upstreamProxy.map { "the upstream proxy \($0.proxy)" } ?? record.upstream
    }

    private static func failure(
        _ reason: EndReason, errno: String?, _ settings: StorySettings
    ) -> String {
        let words =
            switch reason {
            case .connectRefused: "connection refused"
            case .connectTimeout: "no answer within \(settings.name(.connect))"
            case .connectUnreachable: errno == "ENOENT" ? "the socket file does not exist" : "unreachable"
            case .nameNotFound: "its name does not exist"
            case .nameLookupFailed: "the name service did not answer"
            default: reason.rawValue
            }
        return errno.map { "\(words) (\($0))" } ?? words
    }
}
