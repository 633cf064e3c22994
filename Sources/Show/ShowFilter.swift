import Recording
package import Sockets

/// Which conversations and flows of a recording are shown, and which ones it has, for the message when none matches.
package struct ShowFilter {
    private let connection: UInt64?
    private let relay: String?
    private let flow: Direction?
    /// Open conversations of the requested relay; empty when all relays are shown.
    private var ofRelay: Set<UInt64> = []
    private var hasMatched = false
    private var ids = SeenIDs()
    private var relays: Set<String> = []

    /// Nil: no restriction.
    package init(connection: UInt64? = nil, relay: String? = nil, flow: Direction? = nil) {
        self.connection = connection
        self.relay = relay
        self.flow = flow
    }

    /// Whether an event is shown; notes its conversation.
    mutating func includes(_ event: RecordingEvent) -> Bool {
        switch event {
        case .opened(let conversation):
            ids.add(conversation.id)
            if let name = conversation.relay, relays.count < 100 { relays.insert(name) }
            if relay != nil, conversation.relay == relay { ofRelay.insert(conversation.id) }
            let matches = isOfRelay(conversation.id) && isWanted(conversation.id)
            hasMatched = hasMatched || matches
            return matches
        case .bytes(let piece):
            return isWanted(piece.id) && isOfRelay(piece.id) && (flow ?? piece.direction) == piece.direction
        case .missing(let gap):
            return isWanted(gap.id) && isOfRelay(gap.id) && (flow ?? gap.direction) == gap.direction
        case .ended(let conversation):
            defer { ofRelay.remove(conversation.id) }
            return isWanted(conversation.id) && isOfRelay(conversation.id)
        }
    }

    private func isWanted(_ id: UInt64) -> Bool { connection == nil || connection == id }

    private func isOfRelay(_ id: UInt64) -> Bool { relay == nil || ofRelay.contains(id) }

    /// The message when nothing matched; nil when something did, or there was no restriction.
    func mismatch(in name: String) -> String? {
        guard !hasMatched else { return nil }
        if let relay, !relays.contains(relay) {
            let known = relays.sorted().map { "`\($0)`" }.joined(separator: ", ")
            return "there is no relay `\(relay)` in \(name); "
                + (known.isEmpty ? "its conversations name no relays" : "there is \(known)")
        }
        guard let connection else { return nil }
        return "there is no connection \(connection) in \(name)"
            + (relay.map { " of the relay `\($0)`" } ?? "") + "; \(ids.description)"
    }
}
