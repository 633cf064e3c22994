import Configuration
import Recording
import Text

/// The cells of one line.
struct SummaryRow {
    let id: UInt64
    let cells: [String]

    static let header = SummaryRow(
        id: 0, cells: ["ID", "TIME", "CLIENT", "UPSTREAM", "UP", "DOWN", "LASTED", "END", "PROTOCOL"])
    /// Which columns are aligned to the right.
    static let isNumber = [true, false, false, false, true, true, true, false, false]

    private init(id: UInt64, cells: [String]) {
        self.id = id
        self.cells = cells
    }

    init(_ conversation: RecordedConversation, showsUnicode: Bool) {
        id = conversation.id
        let notes = [
            Self.note(conversation.up.missing, conversation.down.missing, "missing"),
            Self.note(conversation.up.repeated, conversation.down.repeated, "repeated"),
        ].compactMap { $0 }
        let remark = notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))"
        let cells = [
            "\(conversation.id)", "\(conversation.started)", conversation.client,
            Self.upstream(conversation), SizeText.short(conversation.up.passed),
            SizeText.short(conversation.down.passed), DurationText.short(nanoseconds: conversation.duration),
            conversation.reason ?? "-", "\(conversation.protocol)\(remark)",
        ]
        self.cells = cells.map { $0.harmless(showsUnicode: showsUnicode) }
    }

    private static func note(_ up: UInt64, _ down: UInt64, _ word: String) -> String? {
        let (sum, overflow) = up.addingReportingOverflow(down)
        return sum > 0 || overflow ? "\(SizeText.short(overflow ? .max : sum)) \(word)" : nil
    }

    /// The upstream as configured; for an intercepted connection, its destination.
    private static func upstream(_ conversation: RecordedConversation) -> String {
        let configured = conversation.upstream ?? conversation.listener
        guard configured == UpstreamAddress.originalDestination.description else { return configured }
        return conversation.upstreamAddress ?? configured
    }
}

extension String {
    /// The width in columns, approximately. Most text is ASCII, which needs no search for grapheme clusters.
    var columns: Int { utf8.allSatisfy { $0 < 0x80 } ? utf8.count : count }
}
