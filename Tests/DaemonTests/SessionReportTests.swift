import Testing

@testable import Daemon

struct SessionReportTests {
    @Test func command_isOnALineOfItsOwn_whereTheTerminalIsNarrow() {
        let (text, command) = ("1 connection, 8 B recorded", "see: tapline show talk.pcapng")
        #expect(SessionReport.sentence(text, command, columns: 80) == "\(text); \(command)")
        #expect(SessionReport.sentence(text, command, columns: 40) == "\(text)\n\(command)")
        #expect(SessionReport.sentence(text, nil, columns: 10) == text)
    }
}
