internal import Configuration
internal import Relay
internal import Sockets
internal import Text

extension Story {
    /// A client that is held until its upstream is up.
    static func holding(
        _ hold: LiveConnection.Hold, of record: ConnectionRecord, _ settings: StorySettings
    ) -> String {
        let attempts = Quantity.number(hold.attempts, "attempt")
        return "Tapline waits for \(record.upstream) to come up, \(text(milliseconds: hold.waited)) of "
            + "\(text(milliseconds: hold.limit)) (\(settings.name(.wait))). \(attempts) failed; the last: "
            + "\(failure(hold.reason, errno: hold.errno.map { "\($0.name)" }, settings))."
    }

    /// What a connection whose upstream did not come up had waited for; nil if it did not wait.
    static func heldInVain(
        _ record: ConnectionRecord, _ end: ConnectionRecord.End, _ settings: StorySettings
    ) -> String? {
        guard let wait = settings.timeouts?.wait, wait > .zero, end.reason.mayFollowHold,
            Milliseconds.of(nanoseconds: end.duration) >= wait.milliseconds
        else { return nil }
        return
            "Tapline had tried again for \(settings.name(.wait))\(now(wait)): the upstream did not come up in that time."
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

extension EndReason {
    /// A failed attempt with this reason is followed by another one while the client is held.
    fileprivate var mayFollowHold: Bool {
        [.connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed].contains(self)
    }
}
