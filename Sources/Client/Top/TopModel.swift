import Text

/// The state of `tapline top`: keys and snapshots in, actions out. No effects.
struct TopModel {
    /// What the keys do.
    enum Mode: Hashable, Sendable {
        /// They move the cursor and give commands.
        case table
        /// They edit the filter; `before` is its value until then.
        case filtering(before: String)
        /// `y` confirms.
        case confirmingKill(UInt64)
        /// A connection's story is shown, from line `top` on.
        case story(UInt64, top: Int)
        /// Help is shown.
        case help
    }

    /// A row that the cursor can be on.
    enum Row: Hashable, Sendable {
        case relay(String)
        case connection(UInt64)
    }

    /// An effect for the session to carry out.
    enum Action: Hashable, Sendable {
        /// End the program.
        case quit
        /// Request a new snapshot now.
        case refresh
        /// Reset a connection.
        case kill(UInt64)
        /// Start or stop the recording of a relay.
        case record(relay: String, Bool)
        /// Request a connection's story.
        case fetchStory(UInt64)
        /// Return the terminal to the shell for a while.
        case suspend
        /// Redraw the screen.
        case redraw
    }

    /// A message in the last line, until the next key.
    struct Message: Hashable, Sendable {
        var text: String
        var isTrouble = false
    }

    /// The number of past rates for the small graphs.
    static let memory = 60

    private(set) var snapshot: TopSnapshot?
    private(set) var mode = Mode.table
    private(set) var sort = TopSort.rate
    private(set) var filter = ""
    private(set) var isPaused = false
    private(set) var message: Message?
    private(set) var selection: Row?
    private(set) var upHistory: [UInt64] = []
    private(set) var downHistory: [UInt64] = []
    /// The story on the screen; nil until it is received.
    private(set) var story: JSONValue?
    /// The cursor's row number, for when the selected row is gone.
    private var index = 0
    /// The lines that a page key moves by; set by the view.
    var pageLength = 10

    /// The relays and connections on the screen, in the cursor's order.
    var rowsInOrder: [Row] {
        guard let snapshot else { return [] }
        return shownRelays.map { .relay($0.name) } + snapshot.connections.filter(matches).map { .connection($0.id) }
    }

    /// The relays, those whose connects fail first; removed ones only while they have open connections.
    var shownRelays: [TopSnapshot.Relay] {
        let shown = (snapshot?.relays ?? []).filter { $0.isConfigured || $0.open > 0 }
        return shown.filter(\.isFailing) + shown.filter { !$0.isFailing }
    }

    /// The connections that match the filter.
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

    // MARK: Update

    /// Adopts a snapshot, unless the display is paused.
    mutating func adopt(_ next: TopSnapshot) {
        guard !isPaused else { return }
        let isFirst = snapshot == nil
        if message?.isTrouble == true { message = nil }
        snapshot = next
        Self.remember(next.rateUp, in: &upHistory)
        Self.remember(next.rateDown, in: &downHistory)
        if isFirst { selection = rowsInOrder.first { if case .connection = $0 { true } else { false } } }
        keepSelection()
    }

    private static func remember(_ rate: UInt64, in history: inout [UInt64]) {
        history.append(rate)
        if history.count > memory { history.removeFirst() }
    }

    /// Puts the rates from before the start to the left of the graphs.
    mutating func adopt(_ past: TopHistory) {
        upHistory = Array((past.up + upHistory).suffix(Self.memory))
        downHistory = Array((past.down + downHistory).suffix(Self.memory))
    }

    /// Adopts a story, unless it is no longer on the screen.
    mutating func adopt(story: JSONValue, of id: UInt64) {
        if case .story(id, _) = mode { self.story = story }
    }

    /// Sets the message.
    mutating func setMessage(_ text: String, isTrouble: Bool = false) {
        message = Message(text: text, isTrouble: isTrouble)
    }

    /// The requests of each second.
    func tick() -> [Action] {
        guard !isPaused else { return [] }
        if case .story(let id, _) = mode { return [.refresh, .fetchStory(id)] }
        return [.refresh]
    }

    /// Keeps the selection; when its row is gone, the cursor stays on the same row number.
    private mutating func keepSelection() {
        let all = rowsInOrder
        if let selection, let found = all.firstIndex(of: selection) {
            index = found
        } else {
            index = max(0, min(index, all.count - 1))
            selection = all.isEmpty ? nil : all[index]
        }
    }

    // MARK: Keys

    /// Handles a key.
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
                setMessage("connection \(id) was not reset")
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
        case .up, .character("k"), .character("K"): move(by: -1)
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
            keepSelection()
        case .character("s"):
            sort = sort.next
            return [.refresh]
        case .character("p"):
            isPaused.toggle()
            return isPaused ? [] : [.refresh]
        case .character("x"): askToKill()
        case .character("r"): return record()
        case .enter: return open()
        case .character, .escape, .backspace, .interrupt, .suspend, .redraw: break
        }
        return []
    }

    private mutating func move(by lines: Int) {
        let all = rowsInOrder
        guard !all.isEmpty else { return }
        index = max(0, min(all.count - 1, index + lines))
        selection = all[index]
    }

    private mutating func askToKill() {
        guard case .connection(let id) = selection else { return setMessage("select a connection first; x resets it") }
        mode = .confirmingKill(id)
    }

    /// The relay of the selected row.
    private var selectedRelay: TopSnapshot.Relay? {
        let name: String? =
            switch selection {
            case .relay(let name): name
            case .connection(let id): snapshot?.connections.first { $0.id == id }?.relay
            case nil: nil
            }
        return snapshot?.relays.first { $0.name == name }
    }

    private mutating func record() -> [Action] {
        guard let relay = selectedRelay else {
            setMessage("no relay is selected")
            return []
        }
        return [.record(relay: relay.name, !relay.isRecording)]
    }

    private mutating func open() -> [Action] {
        switch selection {
        case .relay(let name):
            filter = filter == name ? "" : name
            keepSelection()
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
        keepSelection()
        return []
    }

    private mutating func handleInStory(_ key: TopKey, _ id: UInt64, _ top: Int) -> [Action] {
        switch key {
        case .escape, .enter, .backspace, .character("q"):
            mode = .table
            story = nil
        case .up, .character("k"), .character("K"): mode = .story(id, top: max(0, top - 1))
        case .down, .character("j"), .character("J"): mode = .story(id, top: top + 1)
        case .pageUp: mode = .story(id, top: max(0, top - pageLength))
        case .pageDown, .character(" "): mode = .story(id, top: top + pageLength)
        case .home: mode = .story(id, top: 0)
        case .character("x"): mode = .confirmingKill(id)
        case .character("p"): isPaused.toggle()
        case .character, .end, .interrupt, .suspend, .redraw: break
        }
        return []
    }

    /// The number of lines that the view could scroll by, so that the cursor keys stop at the story's end.
    mutating func limitStory(to lines: Int) {
        if case .story(let id, let top) = mode, top > max(0, lines - 1) { mode = .story(id, top: max(0, lines - 1)) }
    }
}
