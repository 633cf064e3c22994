internal import Sockets

extension Conversation {
    /// The comment for a segment's occasion; nil without one.
    func comment(_ occasion: Segment.Occasion) -> RecordingComment? {
        switch occasion {
        case .none: nil
        case .opened: beginning(.opened)
        case .connected: connectedComment
        case .stopped: totals(.stopped, up: passed(.up), down: passed(.down))
        case .ended: endComment
        }
    }

    /// The comment of a conversation's first segment in an output in which it did not begin. It counts the bytes before
    /// the segment and before its gap.
    func introduction(_ kind: RecordingComment.Kind, at segment: Segment) -> RecordingComment {
        let own = segment.offset - segment.gapBytes
        let other = passed(Direction(from: segment.direction.destination))
        var comment = beginning(kind)
        comment.upstreamAddress = (upstreamAddress ?? origin.destination)?.description
        comment.bytesUp = segment.direction == .up ? own : other
        comment.bytesDown = segment.direction == .up ? other : own
        return comment
    }

    private func beginning(_ kind: RecordingComment.Kind) -> RecordingComment {
        var comment = RecordingComment(kind, id: origin.id)
        comment.relay = origin.relay
        comment.leg = origin.leg?.side.rawValue
        comment.client = origin.client.isUnix ? "unix:" : origin.client.description
        comment.listener = origin.listener.description
        comment.upstream = origin.upstream
        comment.upstreamAddress = origin.destination?.description
        return comment
    }

    func comment(_ session: ConversationSecurity) -> RecordingComment {
        var comment = RecordingComment(.secured, id: origin.id)
        comment.side = session.side.rawValue
        comment.tls = session.parameters
        comment.application = session.application
        comment.serverName = session.serverName
        comment.peer = session.peer
        comment.beganMicroseconds = session.beganAfter
        comment.tookMicroseconds = session.took
        return comment
    }

    private var connectedComment: RecordingComment {
        var comment = RecordingComment(.connected, id: origin.id)
        comment.upstreamAddress = upstreamAddress?.description
        return comment
    }

    private func totals(_ kind: RecordingComment.Kind, up: UInt64, down: UInt64) -> RecordingComment {
        var comment = RecordingComment(kind, id: origin.id)
        comment.relay = origin.relay
        comment.leg = origin.leg?.side.rawValue
        comment.bytesUp = up
        comment.bytesDown = down
        return comment
    }

    private var endComment: RecordingComment? {
        guard let end else { return nil }
        var comment = totals(.ended, up: end.bytesUp, down: end.bytesDown)
        comment.upstream = end.upstream ?? origin.upstream
        comment.upstreamAddress = upstreamAddress?.description
        comment.reason = end.reason
        comment.closedBy = end.closedBy
        comment.errno = end.errno
        comment.recordedBytes = end.recordedBytes
        comment.droppedBytes = end.droppedBytes
        comment.waitedFor = end.waitedFor
        comment.heldBytes = end.heldBytes
        comment.waitedMilliseconds = end.waitedMilliseconds
        comment.clientHeldMilliseconds = end.clientHeldMilliseconds
        comment.attempts = end.attempts
        return comment
    }
}
