import Sockets
import Terminal
import TestSupport
import Testing
import Text

@testable import Recording
@testable import Show

struct RecordedStoryTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    private func conversation(reason: String?, errno: String? = nil, ended: Int64) -> RecordedConversation {
        var conversation = RecordedConversation(
            id: 7, client: "10.0.0.1:5", listener: "127.0.0.1:80", started: at(0), ended: at(ended))
        conversation.relay = "web"
        conversation.upstream = "db:1"
        conversation.hasStart = true
        conversation.reason = reason
        conversation.errno = errno
        return conversation
    }

    @Test func story_namesFirstBytesPausesAndTheEnd() {
        var ended = conversation(reason: "idle_timeout", ended: 9000)
        ended.up.recorded = 5
        ended.down.recorded = 1234
        ended.closedBy = "tapline"
        ended.droppedBytes = 1
        var story = RecordedStory(ended)
        story.add(.up, at: at(1))
        story.add(.down, at: at(1500))
        #expect(
            story.sentences(ended, times: .utc) == [
                "The client 10.0.0.1:5 connected to relay web (127.0.0.1:80) at 1970-01-01T00:00:00.000Z. Upstream: db:1.",
                "5 bytes went up and 1,234 bytes came down; the client's first byte came after 1.00 ms, the upstream's "
                    + "after 1.50 s.",
                "There were 2 pauses of more than 1 s. The longest, 7.50 s, began 1.50 s after the start: the last bytes "
                    + "before it came from the upstream, and no more bytes followed.",
                "Tapline ended the connection, 9.00 s after it opened (idle_timeout).",
                "1 byte of it is missing from the recording.",
            ])
    }

    @Test func conversation_inOneDirection_hasACompleteSentence() {
        var ended = conversation(reason: "upstream_closed", ended: 9)
        ended.down.recorded = 1234
        var story = RecordedStory(ended)
        story.add(.down, at: at(2))
        #expect(
            story.sentences(ended, times: .utc)[1]
                == "0 bytes went up and 1,234 bytes came down; the upstream's first byte came after 2.00 ms.")
    }

    @Test(arguments: [
        ("client_closed", "The client closed first, and the connection shut down cleanly"),
        ("upstream_reset", "The upstream reset the connection"),
        ("connect_refused", "The upstream refused the connection: nothing was listening there"),
        ("unheard_of", "The connection ended"),
    ])
    func end_isExplained(reason: String, words: String) {
        let ended = conversation(reason: reason, errno: "ECONNRESET", ended: 2)
        var story = RecordedStory(ended)
        let sentences = story.sentences(ended, times: .utc)
        #expect(sentences[1] == "No bytes were sent in either direction.")
        #expect(sentences[2] == "\(words), 2.00 ms after it opened (\(reason), ECONNRESET).")
    }

    /// The title as the live `why` has it.
    @Test(arguments: [("connect_refused", "31;1"), ("client_closed", "1")])
    func title_isRed_ifTheConnectionFailed(reason: String, style: String) {
        func text(color: Bool) -> String {
            var view = StoryView(
                columns: 80, terminal: TerminalTraits(showsColor: color, showsUnicode: true), times: .utc)
            var output: [UInt8] = []
            let ended = conversation(reason: reason, ended: 9)
            view.append(.opened(ended), into: &output)
            view.append(.ended(ended), into: &output)
            return String(decoding: output, as: UTF8.self)
        }
        #expect(text(color: true).hasPrefix("\u{1B}[\(style)mconnection 7, "))
        #expect(text(color: true).withoutStyles == text(color: false))
    }

    /// The story of a connection is that of its plaintext; where its handshake failed, that of the leg.
    @Test(arguments: [true, false]) func connectionWithoutPlaintext_isExplainedByItsLeg(_ hasPlaintext: Bool) {
        var view = StoryView(
            columns: 400, terminal: TerminalTraits(showsColor: false, showsUnicode: true), times: .utc)
        var leg = conversation(reason: hasPlaintext ? "client_closed" : "tls_certificate_refused", ended: 9)
        leg.leg = .client
        leg.closedBy = "client"
        var events: [RecordingEvent] = [.opened(leg)]
        let plain = conversation(reason: "client_closed", ended: 9)
        if hasPlaintext { events += [.opened(plain), .ended(plain)] }
        events.append(.ended(leg))
        var output: [UInt8] = []
        for event in events { view.append(event, into: &output) }
        view.finish(into: &output)
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.ranges(of: "connection 7, ").count == 1, "\(text)")
        #expect(
            text.contains(
                "It has no plaintext, because its TLS handshake failed: this is about its encrypted leg with the client"
            )
                != hasPlaintext)
        #expect(
            text.contains(
                "A certificate was refused in the TLS handshake with the client, 9.00 ms after it opened "
                    + "(tls_certificate_refused).") != hasPlaintext)
    }

    @Test func clockThatGoesBack_isNoPause() {
        let ended = conversation(reason: nil, ended: -5000)
        var story = RecordedStory(ended)
        story.add(.up, at: at(-3000))
        story.add(.down, at: Timestamp(nanoseconds: .min))
        story.add(.down, at: Timestamp(nanoseconds: .max))
        story.add(.down, at: at(0))
        #expect(story.sentences(ended, times: .utc).last?.hasPrefix("The recording does not contain its end") == true)
    }
}
