internal import Relay
internal import Text

extension Story {
    /// What the upstream's command did while the client of an unconnected connection waited; empty if there is no
    /// command, or it did not run in that time. `now`: the end of an open connection's time.
    static func command(_ history: CommandHistory?, of record: ConnectionRecord, now: Int64) -> [String] {
        guard let history, record.connectDuration == nil else { return [] }
        let runs = history.runs(from: record.accepted, to: record.end?.time ?? now)
        guard let last = runs.last else { return [] }
        let isRunning = record.end == nil ? "is running" : "was running at the end"
        let endings = runs.compactMap(\.ending)
        var sentence = "While the client waited, Tapline ran the --exec command (\(history.command)) "
        sentence += runs.count == 1 ? "once" : "\(runs.count) times"
        if !endings.isEmpty { sentence += ": it \(list(endings))" }
        if last.ending == nil {
            let process = last.process.map { " (pid \($0))" } ?? ""
            sentence += (endings.isEmpty ? ", and it" : "; the last one") + " \(isRunning)\(process)"
        }
        let advice =
            last.ending == nil
            ? "The command did not listen at the upstream's address in that time: compare that address with the one in "
                + "the command's output, which is in Tapline's standard error."
            : "The upstream did not come up because its command ended; the command's output, which is in Tapline's "
                + "standard error, may say why."
        return [sentence + ".", advice]
    }

    /// `exited with status 3 each time`, or each ending in its turn.
    private static func list(_ endings: [String]) -> String {
        guard Set(endings).count > 1 else { return endings[0] + (endings.count > 1 ? " each time" : "") }
        return endings.dropLast().joined(separator: ", ") + " and " + endings[endings.count - 1]
    }
}

extension EndReason {
    /// The connection ended because its upstream could not be connected.
    var isFailedConnect: Bool {
        [.connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed].contains(self)
    }
}
