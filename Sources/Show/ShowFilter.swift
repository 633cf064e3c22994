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
    /// The encrypted legs of the wanted connection, or of all, and whether its plaintext was there.
    private var seenLegs: Set<Side> = []
    private var hasPlaintext = false
    /// The end reason of a leg of the wanted connection.
    private var legReason: String?
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
            note(conversation)
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
            if conversation.leg != nil, conversation.id == connection { legReason = conversation.reason }
            defer { shown.remove(conversation.key) }
            guard isShown(conversation.key), ends.matches(conversation) else { return false }
            hasMatched = true
            return true
        }
    }

    private mutating func note(_ conversation: RecordedConversation) {
        guard connection == nil || connection == conversation.id else { return }
        if let leg = conversation.leg { seenLegs.insert(leg) } else { hasPlaintext = true }
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
        if let message = missingLeg(in: name) { return message }
        if let connection, endText.isEmpty || !ids.contains(connection) {
            return "no connection \(connection) in \(name)"
                + (relay.map { " of relay `\($0)`" } ?? "") + "; \(ids.description)"
        }
        return endText.isEmpty ? nil : "no connection in \(name) matches \(endText)"
    }

    /// The conversation of the connection that is not in the recording, while another one is; nil if that is not why
    /// nothing matched.
    private func missingLeg(in name: String) -> String? {
        guard endText.isEmpty, relay == nil || connection != nil else { return nil }
        let others = seenLegs.sorted { $0 == .client && $1 == .upstream }.map(\.rawValue).joined(separator: ", ")
        switch legs {
        case .encrypted(let side):
            let whose = connection.map { " of connection \($0)" } ?? ""
            let missing = "there is no encrypted leg with the \(side.rawValue) in \(name)\(whose)"
            guard others.isEmpty else {
                return missing
                    + ": \(side == .client ? "clients of this relay speak" : "its upstream speaks") no TLS, or "
                    + "it was not connected; legs: \(others)"
            }
            return missing + "; it is recorded with `encrypted: true`"
        case .plaintext:
            guard let connection, !others.isEmpty, !hasPlaintext else { return nil }
            let why = legReason.map { " (\($0))" } ?? ""
            return "connection \(connection) has no plaintext, because its handshake failed\(why); see --leg \(others)"
        case .all: return nil
        }
    }
}
