internal import Text

extension ConversationTable {
    /// Whether a comment begins a conversation.
    static func opens(_ comment: RecordingComment) -> Bool {
        switch comment.kind {
        case .opened, .joined, .continued: true
        case .connected, .secured, .gap, .stopped, .ended: false
        }
    }

    /// Whether a segment's source is the client: the sender of the SYN, the client in Tapline's comment, or else the
    /// side with the higher port.
    static func isFromClient(
        _ segment: TCPSegment, _ packet: CapturedPacket?, _ announced: RecordingComment?
    ) -> Bool {
        if segment.flags.contains(.syn) { return !segment.flags.contains(.ack) }
        if let client = announced?.client {
            if client == "\(segment.source.address)" { return true }
            if client == "\(segment.destination.address)" { return false }
        }
        if announced != nil, let isInbound = packet?.isInbound { return isInbound }
        return segment.source.port >= segment.destination.port
    }
}
