import Sockets
import Testing

@testable import Configuration

/// A recording's settings as text for another process.
struct RecordSettingsTests {
    @Test func settings_areReadAsTheyWereWritten() throws {
        let network = try #require(Network("10.0.0.0/8"))
        let other = try #require(Network("2001:db8::/32"))
        let all = [
            RecordSettings(directory: "/var/lib/recordings"),
            RecordSettings(
                directory: "/tmp/with space/ü \"quoted\" \\ {x: [y]} #z\u{1}",
                rotate: .init(size: 0, every: .zero, keep: 0), maxBytes: 1, buffer: 64 << 10, whenFull: .block,
                clients: [network, other], perMillion: 1),
            RecordSettings(
                directory: "/a", rotate: .init(size: 65_537, every: .milliseconds(90_001), keep: 7),
                maxBytes: 1 << 50, buffer: 1 << 30, perMillion: 333_333, includesEncrypted: true),
        ]
        for settings in all {
            let text = settings.requestText
            #expect(try RecordSettings.parse(Array(text.utf8), changing: nil, directory: "/elsewhere") == settings)
            #expect(!text.contains("\n"))
        }
    }
}
