import Terminal
package import Text

/// The output of `tapline status`. Pure.
package struct StatusReport {
    let status: JSONValue
    let relays: [JSONValue]
    let target: AdminTarget

    /// A report of the answers of `GET /v1/status` and `GET /v1/relays`.
    package init(status: JSONValue, relays: [JSONValue], target: AdminTarget) {
        self.status = status
        self.relays = relays
        self.target = target
    }

    /// The whole screen.
    package func lines(_ output: ClientOutput) -> [String] {
        let showsUnicode = output.terminal.showsUnicode
        let columns = output.columns ?? .max
        let title =
            "tapline \((status["version"].text ?? "?").harmless), up \(Words.age(status["uptime_ms"].count)), "
            + "pid \(status["pid"].count ?? 0), admin \(target.address)"
        var lines = title.wrapped(to: columns).map(output.bold)
        lines += failures.flatMap { "failing: \($0)".wrapped(to: columns, indent: 2).map(output.trouble) }
        lines += warnings(output.zone).flatMap { "warning: \($0)".wrapped(to: columns, indent: 2).map(output.warning) }
        lines += facts(output.zone).flatMap { $1.wrapped(to: columns, after: $0, indent: 15) }
        lines.append("")
        let rows = table(isCut: output.columns != nil, showsUnicode: showsUnicode)
            .lines(within: output.columns, showsUnicode: showsUnicode)
        lines += rows.prefix(1)
        lines += zip(rows.dropFirst(), relays).map { FailingRelay($1).isFailing ? output.trouble($0) : $0 }
        return lines
    }

    // MARK: What needs attention

    /// The most mistakes of a rejected reload that are shown.
    private static let mostProblems = 5

    /// The relays whose connects fail now.
    var failures: [String] {
        relays.compactMap { relay in
            let connects = FailingRelay(relay)
            guard connects.isFailing else { return nil }
            return "\(RelayLabel.text(of: relay)): \(connects.sentence)"
        }
    }

    /// What else needs attention, the most serious first.
    func warnings(_ zone: TimeText) -> [String] {
        var warnings: [String] = []
        if status["draining"].isTrue {
            warnings.append(
                "draining: no new clients are accepted, and \(Quantity.number(openConnections, "connection")) may finish"
            )
        }
        let last = status["last_reload"]
        if last["result"].text == "rejected" {
            warnings.append(
                "the last reload (\(Words.sentenceClock(last["time"].text, zone)), \(Self.source(last))) was rejected; "
                    + "generation "
                    + "\(status["generation"].count ?? 0) stays active")
            let problems = last["problems"].elements
            warnings += problems.prefix(Self.mostProblems).map(Self.problem)
            if problems.count > Self.mostProblems {
                warnings.append("and \(problems.count - Self.mostProblems) more in the file")
            }
        }
        let descriptors = status["descriptors"]
        if let open = descriptors["open"].count, let limit = descriptors["limit"].count, limit > 0,
            open > limit / 10 * 9
        {
            warnings.append("\(open) of \(limit) descriptors are in use; accepting pauses before they run out")
        }
        for relay in relays { warnings += Self.warnings(of: relay) }
        return warnings
    }

    private static func warnings(of relay: JSONValue) -> [String] {
        let name = RelayLabel.text(of: relay)
        var warnings = CertificateText.warnings(of: relay).map { "\(name): \($0)" }
        if let open = relay["open"].count, let most = relay["limits"]["max_connections"].count, most > 0, open >= most {
            warnings.append("\(name): accepting is paused at \(open) connections (max_connections); new clients wait")
        } else if let pauses = relay["accept_pauses"].count, pauses > 0 {
            warnings.append("\(name): accepting has paused \(pauses == 1 ? "once" : "\(pauses) times")")
        }
        let recording = relay["recording"]
        if let trouble = recording["trouble"].text {
            warnings.append("\(name): the recording cannot be written: \(trouble.harmless)")
        }
        if let dropped = recording["dropped_bytes"].count, dropped > 0 {
            warnings.append("\(name): the recording has lost \(SizeText.short(dropped))")
        }
        return warnings
    }

    static func problem(_ problem: JSONValue) -> String {
        var place = problem["path"].text ?? "?"
        if let line = problem["line"].count { place += ":\(line):\(problem["column"].count ?? 1)" }
        return "\(place): \(problem["message"].text ?? "")".harmless
    }

    private static func source(_ reload: JSONValue) -> String {
        switch reload["source"].text {
        case "file": "the file changed"
        case "signal": "SIGHUP"
        case "api": "requested"
        case let other: (other ?? "?").harmless
        }
    }

    // MARK: The process

    private var openConnections: UInt64 { status["open_connections"].count ?? 0 }

    private func sum(_ key: String) -> UInt64 {
        // Those of a predecessor are counted there.
        relays.reduce(0) { $0 &+ ($1["process"].isNull ? $1[key].count ?? 0 : 0) }
    }

    /// The counters start with the process, which is not what a person expects who knows of no upgrade.
    private func sinceUpgrade(_ zone: TimeText) -> String {
        status["upgraded"].text.map { " since the upgrade at \(Words.sentenceClock($0, zone))" } ?? ""
    }

    func facts(_ zone: TimeText) -> [(String, String)] {
        var generation = "generation \(status["generation"].count ?? 0)"
        let last = status["last_reload"]
        if let result = last["result"].text, result != "rejected" {
            generation += ", last reload \(Words.sentenceClock(last["time"].text, zone)) (\(Self.source(last))): "
            generation += result == "unchanged" ? "nothing changed" : (last["summary"].text ?? result).harmless
        }
        let memory = status["memory"]
        let descriptors = status["descriptors"]
        let predecessors = PredecessorText.lines(status).map { ("predecessor", $0) }
        return [
            (
                "configuration",
                "\((status["configuration"].text ?? "command line").harmless), \(generation)"
            ),
            (
                "connections",
                "\(openConnections) open, \(sum("accepted")) accepted\(sinceUpgrade(zone)); "
                    + "\(SizeText.short(sum("rate_up")))/s up, "
                    + "\(SizeText.short(sum("rate_down")))/s down"
            ),
            (
                "process",
                "\(Words.size(memory["resident_bytes"].count)) resident, "
                    + "\(Words.size(memory["private_bytes"].count)) of it private; "
                    + "\(Quantity.number(status["workers"].count ?? 0, "worker")), "
                    + "\(descriptors["open"].count ?? 0) of \(descriptors["limit"].count ?? 0) descriptors"
            ),
        ] + CertificateText.fact(relays) + predecessors
    }

    // MARK: The relays

    /// `isCut`: the width is limited, so long paths are cut in the middle; `--json` has them in full.
    private func table(isCut: Bool, showsUnicode: Bool) -> TextTable {
        let arrow = showsUnicode ? "→" : "->"
        let hasProxy = relays.contains { $0["upstream_proxy"].text != nil }
        // A label of `forward` has the upstream already.
        let showsUpstream = hasProxy || !relays.allSatisfy(RelayLabel.hasUpstream)
        var columns: [TextTable.Column] = [
            .init(title: "RELAY", shrinksTo: showsUpstream ? 8 : 20),
            .init(title: "LISTENS", dispensable: 2, shrinksTo: 15),
        ]
        if showsUpstream {
            columns.append(
                .init(
                    title: "UPSTREAM", dispensable: 1, shrinksTo: 14, keepsEnd: !hasProxy, keepsBothEnds: hasProxy))
        }
        let showsFile = relays.contains { $0["recording"]["recording"].isTrue }
        var table = TextTable(
            columns + [
                .init(title: "OPEN", isNumber: true),
                .init(title: "UP/S", isNumber: true, dispensable: 3),
                .init(title: "DOWN/S", isNumber: true, dispensable: 3),
                .init(title: "UP", isNumber: true), .init(title: "DOWN", isNumber: true),
                .init(title: "ACCEPTED", isNumber: true, dispensable: 4), .init(title: "FAILED", isNumber: true),
                .init(title: "CONNECTS", dispensable: 6),
                .init(title: "RECORDED", isNumber: true, dispensable: 4),
            ] + (showsFile ? [.init(title: "FILE", dispensable: 5, shrinksTo: 12, keepsBothEnds: true)] : []))
        for relay in relays {
            let isConfigured = relay["configured"].isTrue
            let mark = RelayLabel.mark(relay, "tls")
            let listeners = relay["listeners"].elements.compactMap(\.text).map { mark + $0 }.joined(separator: ", ")
            let name = showsUpstream ? (relay["name"].text ?? "?").harmless : RelayLabel.text(of: relay, arrow: arrow)
            let state = relay["process"].count.map { " (in \($0))" } ?? (isConfigured ? "" : " (removed)")
            table.add(
                [name + state, listeners.isEmpty ? "-" : listeners.harmless]
                    + (showsUpstream ? [Self.upstream(of: relay)] : [])
                    + [
                        "\(relay["open"].count ?? 0)", Words.rate(relay["rate_up"].count),
                        Words.rate(relay["rate_down"].count), Words.size(relay["bytes_up"].count),
                        Words.size(relay["bytes_down"].count), "\(relay["accepted"].count ?? 0)",
                        "\(Self.failures(of: relay))", Self.connects(of: relay),
                    ] + Self.recording(relay["recording"], isCut, showsUnicode).prefix(showsFile ? 2 : 1))
        }
        return table
    }

    /// The upstream, and the proxy through which it is connected; with TLS routing, the number of routes, and the upstream
    /// of all others.
    static func upstream(of relay: JSONValue) -> String {
        let proxy = relay["upstream_proxy"].text.map { " via \($0.harmless)" } ?? ""
        let own = RelayLabel.mark(relay, "upstream_tls") + (relay["upstream"].text ?? "-").harmless + proxy
        let routing = relay["tls_routing"]
        guard !routing.isNull else { return own }
        let routes = Quantity.number(UInt64(routing["routes"].elements.count), "route")
        return routing["otherwise"].text == "refuse" ? routes + proxy : "\(routes), \(own)"
    }

    /// The number of connections that did not end in order.
    static func failures(of relay: JSONValue) -> UInt64 {
        relay["ended"].members.reduce(0) { $0 &+ (ReasonText.isFailure($1.key) ? $1.value.count ?? 0 : 0) }
    }

    private static func connects(of relay: JSONValue) -> String {
        let ratio = FailingRelay(relay).ratio
        return ratio.isEmpty ? "-" : ratio
    }

    /// The longest path in a table of limited width.
    private static let longestPath = 36

    /// The recorded bytes and the file.
    private static func recording(_ recording: JSONValue, _ isCut: Bool, _ showsUnicode: Bool) -> [String] {
        guard recording["recording"].isTrue else { return ["-", "-"] }
        let file = recording["file"].text?.harmless ?? "-"
        return [
            SizeText.short(recording["recorded_bytes"].count ?? 0),
            isCut ? PathText.shortened(file, to: longestPath, showsUnicode: showsUnicode) : file,
        ]
    }
}
