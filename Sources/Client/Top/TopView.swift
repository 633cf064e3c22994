import Terminal
import Text

/// Draws the model as lines of a screen. Pure.
struct TopView {
    /// The screen's size.
    let columns: Int
    let rows: Int
    let terminal: TerminalTraits
    /// The address of the tapline.
    let address: String
    /// How times are shown.
    var zone = TimeText.utc

    /// One line for each row of the screen.
    func lines(_ model: TopModel) -> [TopLine] {
        var lines = [title(model)]
        switch model.mode {
        case .help: lines += helpLines
        case .story(let id, let top): lines += storyLines(model, id, top)
        case .table, .filtering, .confirmingKill: lines += tableLines(model)
        }
        lines = Array(lines.prefix(max(1, rows - 1)))
        while lines.count < rows - 1 { lines.append(TopLine()) }
        return lines + [lastLine(model)]
    }

    // MARK: First and last

    private func title(_ model: TopModel) -> TopLine {
        let status = model.snapshot?.status ?? .null
        var left = "tapline \((status["version"].text ?? "").harmless), \(model.snapshot.map(\.total) ?? 0) open"
        let age = Words.age(status["uptime_ms"].count)
        left += status["upgraded"].isNull ? ", up \(age)" : ", \(age) since the upgrade"
        left += ", generation \(status["generation"].count ?? 0)"
        left += ", \(address)"
        left += PredecessorText.lines(status).map { ", predecessor \($0)" }.joined()
        var right = ""
        let failing = model.shownRelays.filter(\.isFailing).count
        if failing > 0 { right = " \(Quantity.number(UInt64(failing), "relay")) failing " }
        if model.isPaused { right = " paused " + right }
        if status["draining"].isTrue { right = " draining " + right }
        let text = left.cut(to: columns - right.count, showsUnicode: terminal.showsUnicode)
        var line = TopLine(text.padded(to: columns - right.count), .inverse)
        if !right.isEmpty { line.pieces.append((right, failing > 0 ? .trouble : .notable)) }
        return line
    }

    private func lastLine(_ model: TopModel) -> TopLine {
        switch model.mode {
        case .filtering: return TopLine("filter: \(model.filter)_", .bold)
        case .confirmingKill(let id):
            let connection = model.snapshot?.connections.first { $0.id == id }
            let whose = connection.map { " of \($0.client.harmless)" } ?? ""
            return TopLine("reset connection \(id)\(whose)? y: yes, any other key: no", .trouble)
        case .table, .story, .help: break
        }
        if let message = model.message { return TopLine(message.text, message.isTrouble ? .trouble : .notable) }
        switch model.mode {
        case .story: return TopLine("Esc back  j k \(arrows) scroll  x reset  p pause", .dim)
        case .help: return TopLine("any key: back", .dim)
        case .table, .filtering, .confirmingKill:
            let wide = "q quit  s sort  / filter  Enter story  x reset  r record  p pause  \(arrows) move  ? help"
            let narrow = "q quit  s sort  / filter  Enter story  x reset  ? help"
            let hints = [wide, narrow, "q quit  / filter  Enter story  ? help"]
            return TopLine(hints.first { $0.count <= columns } ?? "? help", .dim)
        }
    }

    private var arrows: String { terminal.showsUnicode ? "↑↓" : "arrows" }

    // MARK: The tables

    /// The number of relay rows: a third of the screen, or more where there are few connections.
    private func relayRows(_ model: TopModel) -> Int {
        let room = max(2, rows - 7)
        let most = max(room / 3, room - model.shownConnections.count - 1)
        return min(model.shownRelays.count, max(1, most))
    }

    /// The number of connection rows that fit.
    func connectionRows(_ model: TopModel) -> Int {
        max(1, rows - 6 - relayRows(model))
    }

    private func tableLines(_ model: TopModel) -> [TopLine] {
        guard model.snapshot != nil else { return [TopLine(), TopLine("loading ...", .dim)] }
        var lines = [totals(model)]
        lines += relayLines(model)
        lines.append(heading(model))
        lines += connectionLines(model)
        return lines
    }

    private func totals(_ model: TopModel) -> TopLine {
        let graph = max(0, min(TopModel.memory, (columns - 38) / 2))
        var line = TopLine()
        for (name, rate, history) in [
            ("up", model.snapshot?.rateUp, model.upHistory), ("down", model.snapshot?.rateDown, model.downHistory),
        ] {
            line.pieces.append(("\(name) ", .plain))
            line.pieces.append((Words.rate(rate).padded(to: 11, onLeft: true), .bold))
            line.pieces.append((" \(Bars.history(history, columns: graph, terminal)) ", .good))
        }
        return line
    }

    private func heading(_ model: TopModel) -> TopLine {
        let shown = model.shownConnections.count
        let total = model.snapshot?.total ?? 0
        var text = "connections by \(model.sort.rawValue)"
        if !model.filter.isEmpty { text += ", \(shown) of \(total) match `\(model.filter)`" }
        let fill = max(0, columns - text.columns - 4)
        let dash = terminal.showsUnicode ? "─" : "-"
        return TopLine("\(dash)\(dash) \(text) " + String(repeating: dash, count: fill), .dim)
    }

    /// The part of a list that is shown, so that it contains the chosen row.
    private static func window(_ count: Int, around chosen: Int?, room: Int) -> Range<Int> {
        let first = max(0, min((chosen ?? 0) - room / 2, count - room))
        return first..<min(count, first + room)
    }

    private func relayLines(_ model: TopModel) -> [TopLine] {
        let relays = model.shownRelays
        let chosen = relays.firstIndex { model.selection == .relay($0.name) }
        let window = Self.window(relays.count, around: chosen, room: relayRows(model))
        let most = relays.reduce(1) { max($0, $1.rateUp, $1.rateDown) }
        let bar = columns >= 74 ? min(16, (columns - 66) / 2) : 0
        var table = TextTable([
            .init(title: " RELAY", atLeast: 10, shrinksTo: 8), .init(title: "OPEN", isNumber: true, atLeast: 5),
            .init(title: "NEW/S", isNumber: true, atLeast: 5, dispensable: 3),
            .init(title: "UP/S", isNumber: true, atLeast: 10), .init(title: "", atLeast: bar, dispensable: 5),
            .init(title: "DOWN/S", isNumber: true, atLeast: 10), .init(title: "", atLeast: bar, dispensable: 5),
            .init(title: "FAILED", isNumber: true, dispensable: 4), .init(title: "CONNECTS", dispensable: 2),
            .init(title: "REC", dispensable: 1),
        ])
        for (number, relay) in relays.enumerated() where window.contains(number) {
            table.add([
                (number == chosen ? ">" : " ") + relay.label + (relay.isConfigured ? "" : " (removed)"),
                "\(relay.open)", Self.perSecond(relay.newPerSecond), Words.rate(relay.rateUp),
                Bars.bar(relay.rateUp, of: most, columns: bar, terminal), Words.rate(relay.rateDown),
                Bars.bar(relay.rateDown, of: most, columns: bar, terminal), "\(relay.failures)",
                relay.failedConnects, relay.isRecording ? "REC" : "",
            ])
        }
        let styles = relays.indices.filter { window.contains($0) }.map { number -> TopLine.Style in
            if number == chosen { return .inverse }
            return relays[number].isFailing ? .trouble : .plain
        }
        return styled(table, styles)
    }

    private func connectionLines(_ model: TopModel) -> [TopLine] {
        let connections = model.shownConnections
        guard !connections.isEmpty else {
            return [
                TopLine(model.filter.isEmpty ? " no open connections" : " no matches; Esc clears the filter", .dim)
            ]
        }
        let chosen = connections.firstIndex { model.selection == .connection($0.id) }
        let window = Self.window(connections.count, around: chosen, room: connectionRows(model))
        let most = connections.reduce(1) { max($0, $1.rateUp &+ $1.rateDown) }
        let bar = columns >= 100 ? 10 : columns >= 72 ? 4 : 0
        // The column of the order is shown at any width.
        let isByBytes = model.sort == .bytes
        var table = TextTable([
            .init(title: "ID", isNumber: true, atLeast: 5), .init(title: "RELAY", shrinksTo: 6),
            .init(title: "CLIENT", atLeast: 15, shrinksTo: columns < 64 ? 12 : 15, keepsEnd: true),
            .init(title: "UPSTREAM", dispensable: 4, shrinksTo: 14, keepsEnd: true),
            .init(title: "STATE", dispensable: 6), .init(title: "AGE", isNumber: true, atLeast: 5),
            .init(title: "BYTES", isNumber: true, atLeast: 8, dispensable: isByBytes ? 0 : 3),
            .init(title: "UP/S", isNumber: true, atLeast: 10, dispensable: isByBytes ? 3 : 1),
            .init(title: "DOWN/S", isNumber: true, atLeast: 10, dispensable: isByBytes ? 3 : 1),
            .init(title: "", atLeast: bar, dispensable: 5), .init(title: "WAITS FOR", atLeast: 12, dispensable: 2),
        ])
        for (number, connection) in connections.enumerated() where window.contains(number) {
            table.add([
                (number == chosen ? ">" : " ") + "\(connection.id)".padded(to: 5, onLeft: true),
                connection.relay.harmless,
                connection.client.harmless, connection.upstream.harmless, connection.state.harmless,
                Words.age(connection.age), Words.size(connection.bytes), Words.rate(connection.rateUp),
                Words.rate(connection.rateDown),
                Bars.bar(connection.rateUp &+ connection.rateDown, of: most, columns: bar, terminal), connection.waits,
            ])
        }
        return styled(table, window.map { $0 == chosen ? .inverse : .plain })
    }

    private func styled(_ table: TextTable, _ styles: [TopLine.Style]) -> [TopLine] {
        let lines = table.lines(within: columns, showsUnicode: terminal.showsUnicode)
        return zip(lines, [.bold] + styles).map { line, style in
            TopLine(style == .inverse ? line.padded(to: columns) : line, style)
        }
    }

    private static func perSecond(_ rate: Double) -> String {
        guard rate >= 0.05 else { return "-" }
        let tenths = UInt64((min(rate, 1e12) * 10).rounded())
        return tenths >= 1000 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    // MARK: Story and help

    /// The number of lines of a story that fit.
    var storyRows: Int { max(1, rows - 3) }

    /// The number of lines that a story can be scrolled by.
    func storyLength(_ model: TopModel) -> Int {
        guard let story = model.story else { return 0 }
        let all = ConnectionReport(story, zone: zone).lines(within: columns, showsUnicode: terminal.showsUnicode)
        return max(0, all.count - storyRows) + 1
    }

    private func storyLines(_ model: TopModel, _ id: UInt64, _ top: Int) -> [TopLine] {
        guard let story = model.story else { return [TopLine(), TopLine("loading connection \(id) ...", .dim)] }
        let all = ConnectionReport(story, zone: zone).lines(within: columns, showsUnicode: terminal.showsUnicode)
        return [TopLine()]
            + all.enumerated().dropFirst(top).prefix(storyRows).map { TopLine($1, $0 == 0 ? .bold : .plain) }
    }

    private var helpLines: [TopLine] {
        let keys = [
            ("\(arrows), j k", "move down and up (also Ctrl-N, Ctrl-P)"),
            ("PgUp, PgDn", "move by pages; Home, End: to the first or last row"),
            ("Enter", "explain the connection; on a relay: show only its connections"),
            ("s", "next sort key: " + TopSort.allCases.map(\.rawValue).joined(separator: ", ")),
            ("/", "filter by text; Enter keeps it, Esc clears it"), ("x", "reset a connection (asks first)"),
            ("r", "start or stop recording the relay"), ("p", "pause or continue"), ("Ctrl-L", "redraw"),
            ("q", "quit (also Ctrl-C)"),
        ]
        let notes =
            "Rates are recent averages. FAILED counts connections that did not close cleanly; CONNECTS shows failed "
            + "connects of the last 5 minutes. Red relays are failing now."
        let lines = keys.flatMap { $1.wrapped(to: columns, after: $0, indent: 13) }
        return ([""] + lines + [""] + notes.wrapped(to: columns)).map { TopLine($0) }
    }
}
