import Recording
package import Sockets

/// Which conversations and flows of a recording are shown, and which ones it has, for the message when none matches.
package struct ShowFilter {
    private let connection: UInt64?
    private let relay: String?
    private let flow: Direction?
    private let legs: Legs
    private let ends: EndFilter
    /// The options about ends, for a message.
    private var endText: String
    /// The conversations that a first reading has chosen, by their ordinal numbers; nil: all.
    private var chosen: Set<UInt64>?
    /// Conversations so far.
    private var opened: UInt64 = 0
    /// Open conversations that are shown, while not all are.
    private var shown: Set<RecordedConversation.Key> = []
    private var hasMatched = false
    private var ids = SeenIDs()
    private var relays: Set<String> = []

    /// Which conversations of a connection are shown.
    package enum Legs: Hashable, Sendable {
        /// What was relayed, in plaintext.
        case plaintext
        /// The encrypted leg with this side.
        case encrypted(Side)
        /// All of them.
        case all

        func includes(_ leg: Side?) -> Bool {
            switch self {
            case .plaintext: leg == nil
            case .encrypted(let side): leg == side
            case .all: true
            }
        }
    }

    /// Nil: no restriction.
    package init(
        connection: UInt64? = nil, relay: String? = nil, flow: Direction? = nil, legs: Legs = .plaintext,
        ends: EndFilter = EndFilter()
    ) {
        self.connection = connection
        self.relay = relay
        self.flow = flow
        self.legs = legs
        self.ends = ends
        endText = ends.text
    }

    /// Whether the bytes of a conversation can be shown only if its end is known, which takes a first reading.
    var needsEnds: Bool { ends.isActive }

    /// The filter of the second reading: shows the bytes of these conversations, by their ordinal numbers.
    func choosing(_ ordinals: Set<UInt64>) -> ShowFilter {
        var filter = ShowFilter(connection: connection, relay: relay, flow: flow, legs: legs)
        filter.chosen = ordinals
        filter.endText = ends.text
        return filter
    }

    /// Whether an event is shown; notes its conversation.
    mutating func includes(_ event: RecordingEvent) -> Bool {
        switch event {
        case .opened(let conversation):
            opened &+= 1
            if legs.includes(conversation.leg) { ids.add(conversation.id) }
            if let name = conversation.relay, relays.count < 100 { relays.insert(name) }
            guard isWanted(conversation.key), relay == nil || conversation.relay == relay, isChosen else {
                return false
            }
            if !showsAll { shown.insert(conversation.key) }
            hasMatched = hasMatched || !ends.isActive
            return true
        case .bytes(let piece): return isShown(piece.key) && (flow ?? piece.direction) == piece.direction
        case .missing(let gap): return isShown(gap.key) && (flow ?? gap.direction) == gap.direction
        case .ended(let conversation):
            defer { shown.remove(conversation.key) }
            guard isShown(conversation.key), ends.matches(conversation) else { return false }
            hasMatched = true
            return true
        }
    }

    /// The ordinal number of the conversation that was opened last.
    var lastOpened: UInt64 { opened }

    private var isChosen: Bool { chosen?.contains(opened) ?? true }

    private var showsAll: Bool { relay == nil && chosen == nil }

    private func isWanted(_ key: RecordedConversation.Key) -> Bool {
        (connection == nil || connection == key.id) && legs.includes(key.leg)
    }

    private func isShown(_ key: RecordedConversation.Key) -> Bool {
        isWanted(key) && (showsAll || shown.contains(key))
    }

    /// The message when nothing matched; nil when something did, or there was no restriction.
    func mismatch(in name: String) -> String? {
        guard !hasMatched else { return nil }
        if let relay, !relays.contains(relay) {
            let known = relays.sorted().map { "`\($0)`" }.joined(separator: ", ")
            return "no relay `\(relay)` in \(name); "
                + (known.isEmpty ? "its conversations name no relays" : "its relays: \(known)")
        }
        if case .encrypted(let side) = legs, endText.isEmpty {
            return "there is no encrypted leg with the \(side.rawValue) in \(name)"
                + (connection.map { " of connection \($0)" } ?? "") + "; it is recorded with `encrypted: true`"
        }
        if let connection, endText.isEmpty || !ids.contains(connection) {
            return "no connection \(connection) in \(name)"
                + (relay.map { " of relay `\($0)`" } ?? "") + "; \(ids.description)"
        }
        return endText.isEmpty ? nil : "no connection in \(name) matches \(endText)"
    }
}
