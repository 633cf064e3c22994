import Configuration
import Relay
import Sockets
import Terminal
import Text

/// The lines of `forward` for a person at a terminal: where it forwards, each connection that opens or ends, a summary.
///
/// A value; any thread.
struct ConnectionLines: Sendable {
    /// The columns of an id with its `#`, which short ids are padded to.
    private static let idColumns = 4
    /// The columns of `open`, `closed`, `FAILED` and `ended`.
    private static let verbColumns = 6
    /// The columns of `by upstream`.
    private static let closerColumns = 11
    /// The most columns of a size (`SizeText.short`).
    private static let sizeColumns = 8
    /// The most columns of a relay's name, so that a line has 80.
    private static let mostRelayColumns = 9
    /// The least columns that a sentence is broken to.
    private static let leastColumns = 20

    private let traits: TerminalTraits
    private let isUTC: Bool
    /// The columns of the relays' names; nil: there is one relay, and lines do not name it.
    private let relayColumns: Int?
    private let columns: @Sendable () -> Int

    /// Lines for an output with these traits. `relays`: the names of all relays. `columns`: the width of the terminal.
    init(traits: TerminalTraits, isUTC: Bool, relays: [String], columns: @escaping @Sendable () -> Int = { 80 }) {
        self.traits = traits
        self.isUTC = isUTC
        let longest = relays.map(\.columns).max() ?? 0
        relayColumns = relays.count > 1 ? min(longest, Self.mostRelayColumns) : nil
        self.columns = columns
    }

    // MARK: Connections

    /// Appends the line of a connection that was accepted: `20:30:12  #1   open    127.0.0.1:33608`.
    func append(opened record: ConnectionRecord, to bytes: inout [UInt8]) {
        bytes.append(start(record, at: record.accepted))
        bytes.append("open".padded(to: Self.verbColumns))
        bytes.append("  \(shown(record.clientText))\n")
    }

    /// Appends the line of a connection that ended. A failure has its reason, on further lines if it is long.
    func append(ended record: ConnectionRecord, to bytes: inout [UInt8]) {
        guard let end = record.end else { return }
        let start = start(record, at: end.time)
        bytes.append(start)
        guard let sentence = record.failureSentence else {
            bytes.append("closed".padded(to: Self.verbColumns))
            bytes.append("  by \((record.closedBy ?? end.reason.closedBy).rawValue)".padded(to: Self.closerColumns + 2))
            bytes.append("  \(amounts(record, end, columns: Self.sizeColumns))\n")
            return
        }
        let isFailure = end.reason.outcome == .failed
        let verb = (isFailure ? "FAILED" : "ended").padded(to: Self.verbColumns)
        bytes.append(isFailure ? painted(verb, "1;31") : verb)
        let indent = start.columns + Self.verbColumns + 2
        let width = max(Self.leastColumns, columns() - indent)
        let lines = shown(sentence).wrapped(to: width)
        bytes.append("  " + lines.map { isFailure ? painted($0, "31") : $0 }.joined(separator: newLine(indent)))
        // Without a connection to the upstream nothing has passed.
        if record.connectDuration != nil {
            let amounts = amounts(record, end)
            let fits = (lines.last?.columns ?? 0) + 2 + amounts.columns <= width
            bytes.append((fits ? "  " : newLine(indent)) + amounts)
        }
        bytes.append("\n")
    }

    /// An event of the process, such as a start of the upstream's command, in the columns of connections:
    /// `20:30:12  started: ./server`.
    func event(_ message: String, at time: Timestamp) -> String {
        let start = clock(time) + "  "
        let width = max(Self.leastColumns, columns() - start.count)
        return start + shown(message).wrapped(to: width).joined(separator: newLine(start.count)) + "\n"
    }

    private func clock(_ time: Timestamp) -> String { (isUTC ? TimeText.utc : .local).clock(time) }

    private func newLine(_ indent: Int) -> String { "\n" + String(repeating: " ", count: indent) }

    private func start(_ record: ConnectionRecord, at time: Int64) -> String {
        let relay = relayColumns.map { columns in
            let name = shown(record.relay).cutInMiddle(to: columns, showsUnicode: traits.showsUnicode)
            return name.padded(to: columns) + "  "
        }
        let id = "#\(record.id)".padded(to: Self.idColumns)
        return "\(clock(Timestamp(nanoseconds: time)))  \(relay ?? "")\(id) "
    }

    /// `↑ 78 B  ↓ 190 B  4.00 ms`; with `columns`, the sizes have this many.
    private func amounts(_ record: ConnectionRecord, _ end: ConnectionRecord.End, columns: Int = 0) -> String {
        let up = SizeText.short(record.bytesUp).padded(to: columns)
        let down = SizeText.short(record.bytesDown).padded(to: columns)
        return "\(upward) \(up)  \(downward) \(down)  \(DurationText.short(nanoseconds: end.duration))"
    }

    // MARK: The start and the end

    /// `Forwarding 127.0.0.1:8080 and [::1]:8080 → localhost:8000`, for each relay with its listeners. The first line
    /// says how to stop.
    func forwarding(_ relays: [(listeners: [String], destination: String)]) -> String {
        let hint = "    (Ctrl-C to stop)"
        var text = ""
        for (index, relay) in relays.enumerated() {
            let line = "Forwarding \(relay.listeners.joined(separator: " and ")) \(rightward) \(relay.destination)"
            let rows = shown(line).wrapped(to: columns())
            text += rows.joined(separator: "\n")
            if index == 0 {
                let fits = (rows.last?.columns ?? 0) + hint.columns <= columns()
                text += fits ? hint : "\n" + String(hint.drop { $0 == " " })
            }
            text += "\n"
        }
        return text
    }

    /// `3 connections, 1 failed, ↑ 156 B ↓ 380 B`.
    func summary(_ totals: ConnectionTotals.Sum) -> String {
        guard totals.connections > 0 else { return "No connections\n" }
        let failed = totals.failed > 0 ? ", \(painted("\(totals.failed) failed", "31"))" : ""
        return Quantity.number(totals.connections, "connection") + failed
            + ", \(upward) \(SizeText.short(totals.bytesUp)) \(downward) \(SizeText.short(totals.bytesDown))\n"
    }

    /// The line in the place of lines that the terminal took too slowly.
    func omission(_ lines: Int) -> String {
        "... \(Quantity.number(UInt64(clamping: lines), "line")) skipped: the terminal was too slow\n"
    }

    // MARK: Characters

    private var upward: String { traits.showsUnicode ? "↑" : "^" }
    private var downward: String { traits.showsUnicode ? "↓" : "v" }
    private var rightward: String { traits.showsUnicode ? "→" : "->" }

    private func shown(_ text: String) -> String { text.harmless }

    private func painted(_ text: String, _ code: String) -> String {
        traits.showsColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
