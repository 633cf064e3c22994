import Testing

@testable import Daemon

struct HandoverMessageTests {
    private let message = HandoverMessage(
        channel: 7,
        items: [
            .init(role: .relay, descriptor: 3, label: "web"),
            .init(role: .relay, descriptor: 4, label: "cache", file: "2049:17"),
            .init(role: .relay, descriptor: 5, label: "tapline.socket", isOfManager: true),
            .init(role: .admin, descriptor: 6, file: "1:2"),
        ],
        firstID: 1_000_001,
        recordings: [
            .init(relay: "web", settings: #"{"directory":"/var/lib/a b","max_bytes":"1MiB"}"#),
            .init(relay: "a=b c\n%20", settings: "{}"),
        ],
        stoppedRecordings: [.init(relay: "db", settings: #"{"directory":"/var/lib"}"#)])

    @Test func message_isReadAsItWasWritten() {
        #expect(HandoverMessage(parsing: message.text) == message)
    }

    /// The other process may have a newer or an older version.
    @Test func unknownWords_arePassedOver() {
        let text = """
            tapline-handover 1
            channel fd=7 since=later
            relay fd=3 name=web colour=green
            mirror fd=9 name=web
            relay name=nothing
            relay fd=x name=nothing
            ids first=-1
            recording relay=web
            stopped-recording relay=web
            recording relay=%zz settings=%7B%7D
            recording settings=%7B%7D
            recording fd=4 relay= settings=%7B%7D
            ids

            """
        #expect(
            HandoverMessage(parsing: text)
                == HandoverMessage(channel: 7, items: [.init(role: .relay, descriptor: 3, label: "web")]))
    }

    @Test func settings_thatAreTooLong_areLeftOut() {
        let long = String(repeating: "x", count: HandoverMessage.longestSettings + 1)
        var message = HandoverMessage(channel: 7, items: [])
        message.recordings = [.init(relay: "web", settings: long), .init(relay: "db", settings: "{}")]
        #expect(HandoverMessage(parsing: message.text)?.recordings == [.init(relay: "db", settings: "{}")])
    }

    @Test(arguments: ["", "tapline-handover 2\nchannel fd=7\n", "tapline-handover 1\nrelay fd=3\n", "\n\n"])
    func somethingElse_isNone(_ text: String) {
        #expect(HandoverMessage(parsing: text) == nil)
    }
}
