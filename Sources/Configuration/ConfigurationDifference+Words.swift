extension ConfigurationDifference {
    /// The names in a list, and the relays or moves with details: enough for a change by hand, and little enough for one
    /// line of a log.
    private static let mostNames = 8
    private static let mostInFull = 4
    /// The shown characters of a value.
    private static let longestValue = 48

    /// One line: `added relay cache; changed web: timeouts.idle 1h → 10m; removed relay old`. Its length is bounded for any
    /// number of relays. Without a difference it is `nothing`.
    public var words: String {
        var clauses: [String] = []
        func add(_ one: String, _ several: String, _ items: [String], most: Int) {
            guard !items.isEmpty else { return }
            let rest = items.count > most ? " and \(items.count - most) more" : ""
            clauses.append((items.count == 1 ? one : several) + items.prefix(most).joined(separator: ", ") + rest)
        }
        add("added relay ", "added relays ", added, most: Self.mostNames)
        add("renamed relay ", "renamed relays ", renamed.map { "\($0.old) to \($0.new)" }, most: Self.mostInFull)
        for change in changed.prefix(Self.mostInFull) {
            add("changed \(change.relay): ", "changed \(change.relay): ", Self.words(change.settings), most: 8)
        }
        let others = changed.dropFirst(Self.mostInFull).map(\.relay)
        add("changed relay ", "changed relays ", others, most: Self.mostNames)
        add("removed relay ", "removed relays ", removed, most: Self.mostNames)
        let moves = listeners.moved.map { "\(Self.clipped($0.address)) from \($0.from) to \($0.to)" }
        add("moved ", "moved ", moves, most: Self.mostInFull)
        add("", "", Self.words(settings), most: settings.count)
        if !needsRestart.isEmpty {
            let verb = needsRestart.count == 1 ? "needs" : "need"
            clauses.append(Self.words(needsRestart).joined(separator: ", ") + " \(verb) a restart")
        }
        return clauses.isEmpty ? "nothing" : clauses.joined(separator: "; ")
    }

    private static func words(_ settings: [Setting]) -> [String] {
        settings.map { setting in
            if let content = setting.content { return "\(setting.key): \(content)" }
            return "\(setting.key) \(clipped(setting.old ?? "none")) → \(clipped(setting.new ?? "none"))"
        }
    }

    private static func clipped(_ text: String) -> String {
        text.count <= longestValue ? text : text.prefix(longestValue - 1) + "…"
    }
}
