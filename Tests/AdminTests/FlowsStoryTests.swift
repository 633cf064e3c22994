import Configuration
import Sockets
import Testing
import Text

@testable import Admin
@testable import Relay

/// What a connection was doing when Tapline ended it.
struct FlowsStoryTests {
    typealias FlowState = LiveConnection.FlowState

    /// What was held when the connection ended.
    enum Held: CaseIterable {
        case nothing, forClient, forUpstream, forBoth

        var flows: ConnectionRecord.Flows {
            let quiet = FlowState(quiet: 60_000, hasMoved: true)
            let down = FlowState(held: 1 << 20, queued: 64 << 10, quiet: 2000, hasMoved: true)
            let up = FlowState(held: 4096, quiet: 3000, hasMoved: true)
            switch self {
            case .nothing: return .init(up: FlowState(quiet: 61_000, hasMoved: true), down: quiet)
            case .forClient: return .init(up: quiet, down: down)
            case .forUpstream: return .init(up: up, down: quiet)
            case .forBoth: return .init(up: up, down: down)
            }
        }

        var sentences: [String] {
            switch self {
            case .nothing:
                [
                    "The upstream sent last, 1 min 0 s before the end, and the client 1 min 1 s before it. Nothing was waiting"
                ]
            case .forClient:
                [
                    "The client stopped reading 2.0 s before the end; 1.06 MiB was waiting for it (1.00 MiB in Tapline, "
                        + "64.0 KiB in the send queue).",
                    "The upstream had to wait. Check why the client's program does not read",
                ]
            case .forUpstream:
                [
                    "The upstream stopped reading 3.0 s before the end; 4.00 KiB was waiting for it in Tapline.",
                    "The client had to wait. Check why the upstream's program does not read",
                ]
            case .forBoth:
                [
                    "Neither side was reading: 1.06 MiB was waiting for the client and 4.00 KiB for the upstream, and "
                        + "nothing had moved for 2.0 s."
                ]
            }
        }

        /// `waited_for`, `held_bytes` and `waited_ms` of the record.
        var backlog: (side: Side, bytes: UInt64, milliseconds: UInt64)? {
            switch self {
            case .nothing: nil
            case .forClient: (.client, 1_114_112, 2000)
            // Of both, the one that has waited longer.
            case .forUpstream, .forBoth: (.upstream, 4096, 3000)
            }
        }
    }

    private static let reasons: [EndReason] = [.idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained]

    private func ended(_ reason: EndReason, _ flows: ConnectionRecord.Flows) -> ConnectionRecord {
        var ended = record(reason: reason)
        ended.flows = flows
        return ended
    }

    @Test(arguments: reasons, Held.allCases)
    func endByTapline_saysWhatTheConnectionWasDoing(reason: EndReason, held: Held) {
        let ended = ended(reason, held.flows)
        let story = Story.of(ended, timeouts: Timeouts()).joined(separator: " ")
        for sentence in held.sentences { #expect(story.contains(sentence), "\(story)") }
        // Advice for silence helps only where there was silence.
        #expect(story.contains("send keepalives") == (reason == .idleTimeout && held == .nothing), "\(story)")
        #expect(ended.backlog?.side == held.backlog?.side && ended.backlog?.bytes == held.backlog?.bytes)
        #expect(ended.backlog?.milliseconds == held.backlog?.milliseconds)
    }

    @Test(
        arguments: [
            (true, false, "The client had closed its half, and the upstream had not."),
            (false, true, "The upstream had closed its half, and the client had not."),
            (true, true, "Both sides had closed their halves, but the last bytes were not delivered."),
        ])
    func halfThatHadEnded_isNamed(up: Bool, down: Bool, sentence: String) {
        var flows = Held.nothing.flows
        (flows.up.hasEnded, flows.down.hasEnded) = (up, down)
        #expect(Story.of(ended(.halfCloseTimeout, flows), timeouts: nil).contains(sentence))
    }

    @Test(
        arguments: [
            (false, false, "Neither side had sent a byte in 1 min 0 s, and nothing was waiting in Tapline."),
            (true, false, "The client sent last, 1 min 1 s before the end; the upstream never sent a byte."),
            (false, true, "The upstream sent last, 1 min 0 s before the end; the client never sent a byte."),
        ])
    func silence_saysWhichSideSentLast(up: Bool, down: Bool, sentence: String) {
        var flows = Held.nothing.flows
        (flows.up.hasMoved, flows.down.hasMoved) = (up, down)
        let story = Story.of(ended(.lifetime, flows), timeouts: nil).joined(separator: " ")
        #expect(story.contains(sentence), "\(story)")
    }

    @Test func movingBytes_areNoWait() {
        var flows = Held.forClient.flows
        flows.down.quiet = 20
        let killed = ended(.killed, flows)
        #expect(killed.backlog == nil)
        #expect(
            Story.of(killed, timeouts: nil).contains("Bytes were moving until the end; 1.00 MiB in Tapline was lost."))
    }

    @Test func recordingThatIsSlow_isNotTakenForAReader() {
        var flows = Held.forClient.flows
        flows.down.awaitsRecording = true
        let killed = ended(.killed, flows)
        #expect(killed.backlog == nil)
        let story = Story.of(killed, timeouts: nil).joined(separator: " ")
        #expect(story.contains("It was waiting for its recording, which had accepted nothing for 2.0 s"), "\(story)")
    }

    @Test(arguments: [(EndReason.clientTimedOut, Side.client), (.upstreamTimedOut, .upstream)])
    func sideThatTimedOut_isWaitedFor_howeverLongTheOtherWaits(reason: EndReason, side: Side) {
        let ended = ended(reason, Held.forBoth.flows)
        #expect(ended.backlog?.side == side)
        let size = side == .client ? "1.06 MiB" : "4.00 KiB"
        let story = Story.of(ended, timeouts: nil).joined(separator: " ")
        #expect(story.contains("\(size) was waiting for the \(side)"), "\(story)")
    }

    @Test func openConnection_hasTheSameKeys() {
        let live = live { $0.down = Held.forClient.flows.down }
        var json = JSONText()
        ConnectionView.write(live, .init(), to: &json)
        let text = String(decoding: json.bytes, as: UTF8.self)
        #expect(text.contains(#""waited_for":"client","held_bytes":1114112,"waited_ms":2000"#))
    }
}
