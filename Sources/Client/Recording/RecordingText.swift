import Terminal
package import Text

/// Recordings of a running Tapline as text. Pure.
package enum RecordingText {
    /// After the start: `Recording web to /srv/recordings/web….pcapng`.
    package static func started(_ state: JSONValue) -> [String] {
        var lines = ["Recording \(relay(state)) to \(file(state["file"]))"]
        if let trouble = state["trouble"].text { lines.append("the file cannot be written: \(trouble.harmless)") }
        return lines
    }

    /// After the end: its file and its sums.
    package static func stopped(_ state: JSONValue) -> [String] {
        let latest = state["latest"]
        var lines = ["Stopped recording \(relay(state))"]
        if !latest["file"].isNull { lines.append("  file     \(file(latest["file"]))") }
        lines.append("  packets  \(latest["packets"].count.map(Quantity.grouped) ?? "-")")
        lines.append("  bytes    \(Words.size(latest["recorded_bytes"].count))")
        lines.append("  dropped  \(Words.size(latest["dropped_bytes"].count))")
        return lines
    }

    /// A line for each relay.
    package static func list(_ states: [JSONValue], _ output: ClientOutput) -> [String] {
        guard !states.isEmpty else { return ["there are no relays"] }
        var table = TextTable([
            TextTable.Column(title: "RELAY", shrinksTo: 8), TextTable.Column(title: "RECORDED"),
            TextTable.Column(title: "SINCE", dispensable: 2),
            TextTable.Column(title: "PACKETS", isNumber: true, dispensable: 5),
            TextTable.Column(title: "BYTES", isNumber: true, dispensable: 1),
            TextTable.Column(title: "DROPPED", isNumber: true, dispensable: 4),
            TextTable.Column(title: "FILE", shrinksTo: 24, keepsEnd: true),
        ])
        for state in states {
            let isRecorded = state["recording"].isTrue
            let latest = state["latest"]
            table.add([
                relay(state), isRecorded ? "yes" : "no", Words.clock(state["since"].text, output.zone),
                latest["packets"].count.map(Quantity.grouped) ?? "-", Words.size(latest["recorded_bytes"].count),
                Words.size(latest["dropped_bytes"].count), latest["file"].text?.harmless ?? "-",
            ])
        }
        var lines = table.lines(within: output.columns, showsUnicode: output.terminal.showsUnicode)
        lines[0] = output.bold(lines[0])
        for state in states {
            guard let trouble = state["trouble"].text else { continue }
            lines.append(output.trouble("\(relay(state)): the file cannot be written: \(trouble.harmless)"))
        }
        return lines
    }

    // MARK: Failures

    static func alreadyRecorded(_ state: JSONValue) -> CommandFailure {
        let file = state["file"].isNull ? "" : " to \(file(state["file"]))"
        return CommandFailure(
            .failure,
            "tapline: \(relay(state)) is already being recorded\(file); tapline record \(relay(state)) --stop stops it")
    }

    static func notRecorded(_ state: JSONValue) -> CommandFailure {
        CommandFailure(
            .failure, "tapline: \(relay(state)) is not being recorded; `tapline record` lists the relays that are")
    }

    static func endsWithForward(_ state: JSONValue) -> CommandFailure {
        CommandFailure(
            .failure, "tapline: \(relay(state)) is recorded by `forward --record`, and can only be stopped with it")
    }

    private static func relay(_ state: JSONValue) -> String { (state["relay"].text ?? "?").harmless }

    private static func file(_ file: JSONValue) -> String { file.text?.harmless ?? "its next file" }
}
