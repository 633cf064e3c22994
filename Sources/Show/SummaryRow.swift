import Recording
import Sockets
import Terminal
import Text

/// One line of the summary.
struct SummaryRow {
    let id: UInt64
    /// The order of the lines of one connection.
    let rank: Int
    let file: String
    let relay: String?
    let cells: [String]
    /// What the lines are sorted by.
    let value: ShowSort.Value
    let isFailure: Bool
    let isHeading: Bool

    static let header = SummaryRow(
        cells: ["ID", "FILE", "TIME", "RELAY", "CLIENT", "UPSTREAM", "UP", "DOWN", "LASTED", "END", "PROTOCOL"])
    /// Which columns are aligned to the right.
    static let isNumber = [true, false, false, false, false, false, true, true, true, false, false]
    /// The column that is shown only where ids of several files are the same.
    static let fileColumn = 1
    /// The column that is shown for recordings of several relays only.
    static let relayColumn = 3
    /// The column that is red for a failure.
    private static let endColumn = 9

    private init(cells: [String]) {
        id = 0
        rank = 0
        file = ""
        relay = nil
        value = ShowSort.Value()
        isFailure = false
        isHeading = true
        self.cells = cells
    }

    init(
        _ conversation: RecordedConversation, in file: String, _ sort: ShowSort, times: TimeText, showsUnicode: Bool
    ) {
        id = conversation.id
        rank = conversation.leg.map { $0 == .client ? 1 : 2 } ?? 0
        self.file = file
        let leg = conversation.leg.map { " (encrypted, \($0.rawValue))" } ?? ""
        relay = conversation.relay.map { $0 + leg }
        value = sort.value(of: conversation)
        isFailure = conversation.isFailure
        isHeading = false
        let notes = [
            Self.note(conversation.up.missing, conversation.down.missing, "missing"),
            Self.note(conversation.up.repeated, conversation.down.repeated, "repeated"),
        ].compactMap { $0 }
        let remark = notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))"
        let cells = [
            "\(conversation.id)", file, times.text(conversation.started), relay ?? "-",
            conversation.client,
            conversation.destination, SizeText.short(conversation.up.passed),
            SizeText.short(conversation.down.passed), DurationText.short(nanoseconds: conversation.duration),
            conversation.reason ?? "-", "\(conversation.protocol)\(remark)",
        ]
        self.cells = cells.map { $0.harmless(showsUnicode: showsUnicode) }
    }

    /// The style of a cell; nil: none.
    func style(of column: Int) -> Paint? {
        if isHeading || column == 0 { return .bold }
        return isFailure && column == Self.endColumn ? .failure : nil
    }

    private static func note(_ up: UInt64, _ down: UInt64, _ word: String) -> String? {
        let (sum, overflow) = up.addingReportingOverflow(down)
        return sum > 0 || overflow ? "\(SizeText.short(overflow ? .max : sum)) \(word)" : nil
    }
}
