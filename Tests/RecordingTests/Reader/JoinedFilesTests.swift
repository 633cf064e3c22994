import Sockets
import TestSupport
import Testing

@testable import Recording

/// Several files of one recording.
struct JoinedFilesTests {
    /// Reads files one after the other.
    private func read(_ files: [[UInt8]]) throws -> [String] {
        let reader = RecordingReader()
        var events: [String] = []
        func take() throws {
            while let event = try reader.next() {
                switch event {
                case .opened(let conversation): events.append("\(conversation.id) opened \(conversation.hasStart)")
                case .bytes(let piece): events.append("\(piece.id) \(String(decoding: piece.bytes, as: UTF8.self))")
                case .missing(let gap): events.append("\(gap.id) -\(gap.count)")
                case .ended(let conversation): events.append("\(conversation.id) ended \(conversation.reason ?? "-")")
                }
            }
        }
        for (index, file) in files.enumerated() {
            if index > 0 { reader.beginNextFile() }
            reader.append(file)
            try take()
            try reader.finishFile()
        }
        try reader.finish()
        try take()
        return events
    }

    @Test func connection_thatContinuesInTheNextFile_isOne() throws {
        let conversation = try Capture.conversation()
        var first = Capture()
        first.open(conversation)
        first.data(conversation, .up, Array("one".utf8))
        first.end()
        var second = Capture(kind: .continuation)
        second.data(conversation, .up, Array("two".utf8))
        second.finish(conversation, .up)
        second.finish(conversation, .down)
        second.close(conversation, "client_closed", by: "client")
        second.end()
        #expect(
            try read([first.bytes, second.bytes]) == ["7 opened true", "7 one", "7 two", "7 ended client_closed"])
        // Without the first file it was open before.
        #expect(try read([second.bytes]) == ["7 opened false", "7 two", "7 ended client_closed"])
    }

    @Test(arguments: ["198.51.100.9", "198.51.100.10"])
    func connection_ofALaterProcessWithTheSameID_isAnother(client: String) throws {
        // The first process was killed, so its connection has no end.
        let killed = try Capture.conversation()
        var first = Capture()
        first.open(killed)
        first.data(killed, .up, Array("one".utf8))
        // The second one begins with the same ids; the client may even have the same port.
        let later = try Capture.conversation(client: client)
        var second = Capture()
        second.open(later)
        second.data(later, .up, Array("two".utf8))
        second.end()
        #expect(
            try read([first.bytes, second.bytes]) == [
                "7 opened true", "7 one", "7 ended -", "7 opened true", "7 two", "7 ended -",
            ])
    }

    @Test func relay_isReadFromTheNameOfAFile() {
        #expect(RecordingFileName.relay(inFileNamed: "web.20261122T201500.123Z.pcapng") == "web")
        #expect(RecordingFileName.relay(inFileNamed: "a.b.20261122T201500.123Z.pcapng") == "a.b")
        for name in ["web.pcapng", "web.20261122T201500.123Z", "web.2026112xT201500.123Z.pcapng", ".pcapng", ""] {
            #expect(RecordingFileName.relay(inFileNamed: name) == nil)
        }
    }
}
