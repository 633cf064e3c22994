import Sockets
import Testing

@testable import Configuration

struct RecordChangesTests {
    @Test func request_changesOnlyWhatIsGiven() throws {
        var base = RecordSettings(directory: "/srv")
        base.maxBytes = 100
        base.rotate = .init(size: 1 << 20, every: .seconds(60), keep: 3)
        var changes = RecordChanges()
        #expect(changes.isEmpty)
        changes.rotateEvery = .seconds(90)
        changes.whenFull = .block
        changes.perMillion = 125_000
        changes.clients = [try Network(parsing: "10.0.0.0/8")]
        var expected = base
        expected.rotate.every = .seconds(90)
        expected.whenFull = .block
        expected.perMillion = 125_000
        expected.clients = changes.clients
        #expect(try read(changes, base) == expected)
        changes.rotateSize = 1 << 30
        changes.keep = 0
        changes.maxBytes = 1500
        changes.buffer = 1 << 20
        changes.includesEncrypted = true
        expected.includesEncrypted = true
        expected.rotate = .init(size: 1 << 30, every: .seconds(90), keep: 0)
        (expected.maxBytes, expected.buffer) = (1500, 1 << 20)
        #expect(try read(changes, base) == expected)
    }

    private func read(_ changes: RecordChanges, _ base: RecordSettings) throws -> RecordSettings {
        try RecordSettings.parse(Array(changes.requestText.utf8), changing: base, directory: "/")
    }

    @Test func values_areThoseOfTheConfiguration() throws {
        #expect(try RecordChanges.rotateSize(parsing: "0") == 0 && RecordChanges.rotateSize(parsing: "1MiB") == 1 << 20)
        #expect(throws: ValueError.self) { try RecordChanges.rotateSize(parsing: "1KiB") }
        #expect(try RecordChanges.rotateEvery(parsing: "0s") == .zero)
        #expect(throws: ValueError.self) { try RecordChanges.rotateEvery(parsing: "500ms") }
        #expect(throws: ValueError.self) { try RecordChanges.maxBytes(parsing: "0") }
        #expect(try RecordChanges.perMillion(parsing: "10%") == 100_000)
    }
}
