import Recording
import Text

/// One line of the summary.
struct SummaryRow {
    let id: UInt64
    let relay: String?
    let cells: [String]
    /// What the lines are sorted by.
    let value: ShowSort.Value
    let isFailure: Bool

    static let header = SummaryRow(
        cells: ["ID", "TIME", "RELAY", "CLIENT", "UPSTREAM", "UP", "DOWN", "LASTED", "END", "PROTOCOL"])
    /// Which columns are aligned to the right.
    static let isNumber = [true, false, false, false, false, true, true, true, false, false]
    /// The column that is shown for recordings of several relays only.
    static let relayColumn = 2
    /// The column that is coloured for a failure.
    static let endColumn = 8

    private init(cells: [String]) {
        id = 0
        relay = nil
        value = ShowSort.Value()
        isFailure = false
        self.cells = cells
    }

    init(_ conversation: RecordedConversation, _ sort: ShowSort, times: TimeText, showsUnicode: Bool) {
        id = conversation.id
        relay = conversation.relay
        value = sort.value(of: conversation)
        isFailure = conversation.isFailure
        let notes = [
            Self.note(conversation.up.missing, conversation.down.missing, "missing"),
            Self.note(conversation.up.repeated, conversation.down.repeated, "repeated"),
        ].compactMap { $0 }
        let remark = notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))"
        let cells = [
            "\(conversation.id)", times.text(conversation.started), conversation.relay ?? "-", conversation.client,
            conversation.destination, SizeText.short(conversation.up.passed),
            SizeText.short(conversation.down.passed), DurationText.short(nanoseconds: conversation.duration),
            conversation.reason ?? "-", "\(conversation.protocol)\(remark)",
        ]
        self.cells = cells.map { $0.harmless(showsUnicode: showsUnicode) }
    }

    private static func note(_ up: UInt64, _ down: UInt64, _ word: String) -> String? {
        let (sum, overflow) = up.addingReportingOverflow(down)
        return sum > 0 || overflow ? "\(SizeText.short(overflow ? .max : sum)) \(word)" : nil
    }
}

extension String {
    /// The width in columns, approximately. Most text is ASCII, which needs no search for grapheme clusters.
    var columns: Int { utf8.allSatisfy { $0 < 0x80 } ? utf8.count : count }
}
