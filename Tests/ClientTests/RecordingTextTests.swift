import Terminal
import Testing
import Text

@testable import Client

/// What `tapline record` prints, and which relay it means.
struct RecordingTextTests {
    private func state(_ relay: String, _ members: String = "\"recording\":false,\"latest\":null") throws -> JSONValue {
        try JSONReader.read(Array("{\"relay\":\"\(relay)\",\(members)}".utf8))
    }

    private static let running = """
        "recording":true,"file":"/srv/web.1.pcapng","since":"2026-11-22T20:15:00.123Z",
        "latest":{"file":"/srv/web.1.pcapng","packets":1200,"recorded_bytes":2048,"dropped_bytes":0}
        """
    private static let stopped = """
        "recording":false,"file":null,"since":null,
        "latest":{"file":"/srv/web.1.pcapng","packets":1200,"recorded_bytes":2048,"dropped_bytes":7}
        """

    @Test func start_namesTheFile_andTheTrouble() throws {
        #expect(RecordingText.started(try state("web", Self.running)) == ["Recording web to /srv/web.1.pcapng"])
        let full = try state("web", "\"file\":null,\"trouble\":\"No space left on device (ENOSPC)\"")
        #expect(
            RecordingText.started(full) == [
                "Recording web to its next file", "the file cannot be written: No space left on device (ENOSPC)",
            ])
    }

    @Test func stop_hasTheFileAndTheSums() throws {
        #expect(
            RecordingText.stopped(try state("web", Self.stopped)) == [
                "Stopped recording web", "  file     /srv/web.1.pcapng", "  packets  1,200", "  bytes    2.00 KiB",
                "  dropped  7 B",
            ])
    }

    @Test func list_hasALineForEachRelay() throws {
        let output = ClientOutput(
            columns: nil, terminal: TerminalTraits(showsColor: false, showsUnicode: false), zone: .utc)
        let lines = RecordingText.list([try state("web", Self.running), try state("api")], output)
        #expect(lines.count == 3)
        #expect(lines[1].hasPrefix("web    yes       20:15:00    1,200  2.00 KiB      0 B  /srv/web.1.pcapng"))
        #expect(lines[2].hasPrefix("api    no        -"))
        #expect(RecordingText.list([], output) == ["there are no relays"])
    }

    @Test func list_ofEightyColumns_hasTheWholeNameOfAFile() throws {
        let output = ClientOutput(
            columns: 80, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .utc)
        let name = "web.20261130T123254.777Z.pcapng"
        let running = Self.running.replacing("web.1.pcapng", with: name)
        let lines = RecordingText.list([try state("web", running), try state("api")], output)
        #expect(lines[1].hasSuffix("/\(name)"), "\(lines)")
    }

    @Test func omittedRelay_isTheOnlyOneThatIsPossible() throws {
        let (web, api) = (try state("web", Self.running), try state("api"))
        #expect(try RecordingChoice.toStart([api]) == api)
        #expect(try RecordingChoice.toStop([web, api]) == web)
        let several = #expect(throws: CommandFailure.self) { try RecordingChoice.toStart([web, api]) }
        #expect(several == CommandFailure(.usage, "tapline: name the relay to record: web, api"))
        let none = #expect(throws: CommandFailure.self) { try RecordingChoice.toStop([api]) }
        #expect(none == CommandFailure(.failure, "tapline: no relay is being recorded"))
    }

    @Test func failures_sayWhereAndWhatToDo() throws {
        #expect(
            RecordingText.alreadyRecorded(try state("web", Self.running)).message
                == "tapline: web is already being recorded to /srv/web.1.pcapng; tapline record web --stop stops it")
        #expect(RecordingText.notRecorded(try state("api")).message.hasPrefix("tapline: api is not being recorded; "))
    }
}
