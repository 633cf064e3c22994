/// What `tapline top` shows and how it takes keys, as a machine without effects: keys and news in, actions out.
struct TopModel {
    /// What keys mean now.
    enum Mode: Hashable, Sendable {
        /// They move and command.
        case table
        /// They write the filter; this is what it was before.
        case filtering(before: String)
        /// One of them says yes.
        case confirmingKill(UInt64)
        /// A connection's story is shown, from this line on.
        case story(UInt64, top: Int)
        /// The keys are explained.
        case help
    }

    /// What the cursor is on.
    enum Place: Hashable, Sendable {
        case relay(String)
        case connection(UInt64)
    }

    /// What to do.
    enum Action: Hashable, Sendable {
        /// End.
        case quit
        /// Ask for everything anew now.
        case refresh
        /// Reset a connection.
        case kill(UInt64)
        /// Start or stop the recording of a relay.
        case record(relay: String, Bool)
        /// Ask for a connection's story.
        case fetchStory(UInt64)
        /// Give the terminal back for a while.
        case suspend
        /// Draw everything anew.
        case redraw
    }

    /// Something to say in the last line, until the next key.
    struct Message: Hashable, Sendable {
        var text: String
        var isTrouble = false
    }

    /// How many rates of the past are kept for the small graphs.
    static let memory = 60

    private(set) var snapshot: TopSnapshot?
    private(set) var mode = Mode.table
    private(set) var sort = TopSort.rate
    private(set) var filter = ""
    private(set) var isPaused = false
    private(set) var message: Message?
    private(set) var place: Place?
    private(set) var upHistory: [UInt64] = []
    private(set) var downHistory: [UInt64] = []
    /// The story that is shown, once it is there.
    private(set) var story: JSONValue?
    /// Where the cursor stood, for when what it was on is gone.
    private var index = 0
    /// Lines that a page key moves by; the view tells.
    var pageLength = 10

    /// The relays and connections that are shown, in the order of the cursor.
    var places: [Place] {
        guard let snapshot else { return [] }
        return shownRelays.map { .relay($0.name) } + snapshot.connections.filter(matches).map { .connection($0.id) }
    }

    /// Relays: those that a reload removed only while they have something open.
    var shownRelays: [TopSnapshot.Relay] {
        snapshot?.relays.filter { $0.isConfigured || $0.open > 0 } ?? []
    }

    /// The connections that the filter lets through.
    var shownConnections: [TopSnapshot.Connection] {
        snapshot?.connections.filter(matches) ?? []
    }

    private func matches(_ connection: TopSnapshot.Connection) -> Bool {
        guard !filter.isEmpty else { return true }
        let wanted = filter.lowercased()
        return "\(connection.id)" == wanted
            || [connection.relay, connection.client, connection.upstream, connection.state, connection.waits]
                .contains { $0.lowercased().contains(wanted) }
    }

    // MARK: News

    /// Takes what a tapline is like now. While it pauses nothing changes.
    mutating func take(_ next: TopSnapshot) {
        guard !isPaused else { return }
        let isFirst = snapshot == nil
        if message?.isTrouble == true { message = nil }
        snapshot = next
        Self.remember(next.rateUp, in: &upHistory)
        Self.remember(next.rateDown, in: &downHistory)
        if isFirst { place = places.first { if case .connection = $0 { true } else { false } } }
        keepPlace()
    }

    private static func remember(_ rate: UInt64, in history: inout [UInt64]) {
        history.append(rate)
        if history.count > memory { history.removeFirst() }
    }

    /// Takes a story; one that is not shown any more is dropped.
    mutating func take(story: JSONValue, of id: UInt64) {
        if case .story(id, _) = mode { self.story = story }
    }

    /// Something is to be said.
    mutating func say(_ text: String, isTrouble: Bool = false) {
        message = Message(text: text, isTrouble: isTrouble)
    }

    /// What is due each second.
    func tick() -> [Action] {
        guard !isPaused else { return [] }
        if case .story(let id, _) = mode { return [.refresh, .fetchStory(id)] }
        return [.refresh]
    }

    /// The cursor stays on what it is on; when that is gone it stays where it is.
    private mutating func keepPlace() {
        let all = places
        if let place, let found = all.firstIndex(of: place) {
            index = found
        } else {
            index = max(0, min(index, all.count - 1))
            place = all.isEmpty ? nil : all[index]
        }
    }

    // MARK: Keys

    /// Takes a key.
    mutating func handle(_ key: TopKey) -> [Action] {
        message = nil
        switch key {
        case .interrupt: return [.quit]
        case .suspend: return [.suspend]
        case .redraw: return [.redraw]
        default: break
        }
        switch mode {
        case .table: return handleInTable(key)
        case .filtering(let before): return handleInFilter(key, before)
        case .confirmingKill(let id):
            mode = .table
            guard key == .character("y") || key == .character("Y") else {
                say("\(id) lives on")
                return []
            }
            return [.kill(id)]
        case .story(let id, let top): return handleInStory(key, id, top)
        case .help:
            mode = .table
            return []
        }
    }

    private mutating func handleInTable(_ key: TopKey) -> [Action] {
        switch key {
        case .up, .character("K"): move(by: -1)
        case .down, .character("j"), .character("J"): move(by: 1)
        case .pageUp: move(by: -pageLength)
        case .pageDown, .character(" "): move(by: pageLength)
        case .home, .character("g"): move(by: -Int.max / 2)
        case .end, .character("G"): move(by: Int.max / 2)
        case .character("q"): return [.quit]
        case .character("?"), .character("h"): mode = .help
        case .character("/"): mode = .filtering(before: filter)
        case .escape where !filter.isEmpty:
            filter = ""
            keepPlace()
        case .character("s"):
            sort = sort.next
            return [.refresh]
        case .character("p"):
            isPaused.toggle()
            return isPaused ? [] : [.refresh]
        case .character("k"): askToKill()
        case .character("r"): return record()
        case .enter: return open()
        case .character, .escape, .backspace, .interrupt, .suspend, .redraw: break
        }
        return []
    }

    private mutating func move(by lines: Int) {
        let all = places
        guard !all.isEmpty else { return }
        index = max(0, min(all.count - 1, index + lines))
        place = all[index]
    }

    private mutating func askToKill() {
        guard case .connection(let id) = place else { return say("move to a connection first; k resets it") }
        mode = .confirmingKill(id)
    }

    /// The relay that the cursor is on, or whose connection it is on.
    private var relayOfPlace: TopSnapshot.Relay? {
        let name: String? =
            switch place {
            case .relay(let name): name
            case .connection(let id): snapshot?.connections.first { $0.id == id }?.relay
            case nil: nil
            }
        return snapshot?.relays.first { $0.name == name }
    }

    private mutating func record() -> [Action] {
        guard let relay = relayOfPlace else {
            say("there is no relay here")
            return []
        }
        return [.record(relay: relay.name, !relay.isRecording)]
    }

    private mutating func open() -> [Action] {
        switch place {
        case .relay(let name):
            filter = filter == name ? "" : name
            keepPlace()
            return []
        case .connection(let id):
            story = nil
            mode = .story(id, top: 0)
            return [.fetchStory(id)]
        case nil: return []
        }
    }

    private mutating func handleInFilter(_ key: TopKey, _ before: String) -> [Action] {
        switch key {
        case .enter: mode = .table
        case .escape:
            filter = before
            mode = .table
        case .backspace:
            if filter.isEmpty { mode = .table } else { filter.removeLast() }
        case .character(let character): if filter.count < 100 { filter.append(character) }
        case .up, .down, .pageUp, .pageDown, .home, .end, .interrupt, .suspend, .redraw: break
        }
        keepPlace()
        return []
    }

    private mutating func handleInStory(_ key: TopKey, _ id: UInt64, _ top: Int) -> [Action] {
        switch key {
        case .escape, .enter, .backspace, .character("q"):
            mode = .table
            story = nil
        case .up, .character("K"): mode = .story(id, top: max(0, top - 1))
        case .down, .character("j"), .character("J"): mode = .story(id, top: top + 1)
        case .pageUp: mode = .story(id, top: max(0, top - pageLength))
        case .pageDown, .character(" "): mode = .story(id, top: top + pageLength)
        case .home: mode = .story(id, top: 0)
        case .character("k"): mode = .confirmingKill(id)
        case .character("p"): isPaused.toggle()
        case .character, .end, .interrupt, .suspend, .redraw: break
        }
        return []
    }

    /// The view tells how far a story goes, so that the cursor keys stop at its end.
    mutating func limitStory(to lines: Int) {
        if case .story(let id, let top) = mode, top > max(0, lines - 1) { mode = .story(id, top: max(0, lines - 1)) }
    }
}
