internal import Relay
internal import Sockets
internal import Text

/// What a connection's flows were doing when it ended: which side did not read, or how long both were silent. Pure.
struct FlowsStory {
    private let flows: ConnectionRecord.Flows
    private let isClientBlocked: Bool
    private let isUpstreamBlocked: Bool

    init(_ flows: ConnectionRecord.Flows) {
        self.flows = flows
        isClientBlocked = flows.flow(to: .client).isBlocked
        isUpstreamBlocked = flows.flow(to: .upstream).isBlocked
    }

    /// Whether a side did not read, so that silence does not explain the end.
    var isBlocked: Bool { isClientBlocked || isUpstreamBlocked }

    /// Whether bytes moved until the end.
    private var wasMoving: Bool { quiet < LiveConnection.FlowState.shortestWait }
    private var quiet: UInt64 { min(flows.up.quiet, flows.down.quiet) }

    /// The facts, and what to do about a side that does not read.
    var sentences: [String] {
        halves + facts
    }

    /// The facts, if a side does not read.
    var backlog: [String] { isBlocked ? facts : [] }

    // MARK: Facts

    private var halves: [String] {
        switch (flows.up.hasEnded, flows.down.hasEnded) {
        case (true, false): ["The client had closed its half, and the upstream had not."]
        case (false, true): ["The upstream had closed its half, and the client had not."]
        case (true, true): ["Both sides had closed their halves, but the last bytes were not delivered."]
        case (false, false): []
        }
    }

    private var facts: [String] {
        if flows.up.awaitsRecording || flows.down.awaitsRecording {
            let waited = [flows.up, flows.down].filter(\.awaitsRecording).map(\.quiet).max() ?? 0
            return [
                "It was waiting for its recording, which had accepted nothing for \(Story.text(milliseconds: waited)): "
                    + "record.when_full is `block`. `tapline status` and the log show what is wrong with the file."
            ]
        }
        switch (isClientBlocked, isUpstreamBlocked) {
        case (true, true):
            return [
                "Neither side was reading: \(Self.size(flows.down)) was waiting for the client and "
                    + "\(Self.size(flows.up)) for the upstream, and nothing had moved for "
                    + "\(Story.text(milliseconds: quiet)).",
                "If both programs write before they read, they block each other.",
            ]
        case (true, false): return Self.notReading("client", "upstream", flows.down)
        case (false, true): return Self.notReading("upstream", "client", flows.up)
        case (false, false): return [wasMoving ? moving : silence]
        }
    }

    private static func notReading(
        _ reader: String, _ writer: String, _ flow: LiveConnection.FlowState
    ) -> [String] {
        [
            "The \(reader) stopped reading \(Story.text(milliseconds: flow.quiet)) before the end; \(size(flow)) was "
                + "waiting for it\(places(flow)).",
            "The \(writer) had to wait. Check why the \(reader)'s program does not read: a keepalive would wait behind "
                + "these bytes, and a longer timeout only delays the end.",
        ]
    }

    private static func size(_ flow: LiveConnection.FlowState) -> String {
        SizeText.short(UInt64(clamping: flow.held) &+ UInt64(clamping: flow.queued))
    }

    private static func places(_ flow: LiveConnection.FlowState) -> String {
        guard flow.held > 0, flow.queued > 0 else { return flow.held > 0 ? " in Tapline" : " in the send queue" }
        return " (\(SizeText.short(UInt64(clamping: flow.held))) in Tapline, "
            + "\(SizeText.short(UInt64(clamping: flow.queued))) in the send queue)"
    }

    private var moving: String {
        let held = UInt64(clamping: flows.up.held) &+ UInt64(clamping: flows.down.held)
        return held == 0
            ? "Bytes were moving until the end."
            : "Bytes were moving until the end; \(SizeText.short(held)) in Tapline was lost."
    }

    private var silence: String {
        let times = (up: Story.text(milliseconds: flows.up.quiet), down: Story.text(milliseconds: flows.down.quiet))
        switch (flows.up.hasMoved, flows.down.hasMoved) {
        case (false, false):
            return
                "Neither side had sent a byte in \(Story.text(milliseconds: quiet)), and nothing was waiting in Tapline."
        case (true, false):
            return "The client sent last, \(times.up) before the end; the upstream never sent a byte. Nothing was "
                + "waiting in Tapline."
        case (false, true):
            return "The upstream sent last, \(times.down) before the end; the client never sent a byte. Nothing was "
                + "waiting in Tapline."
        case (true, true):
            let (last, lastTime, other, otherTime) =
                flows.up.quiet <= flows.down.quiet
                ? ("client", times.up, "upstream", times.down) : ("upstream", times.down, "client", times.up)
            return
                "The \(last) sent last, \(lastTime) before the end, and the \(other) \(otherTime) before it. Nothing "
                + "was waiting in Tapline."
        }
    }

    /// What was lost with a side that no longer answers; nil if nothing was.
    static func lost(with side: Side, in flows: ConnectionRecord.Flows?) -> String? {
        guard let flow = flows?.flow(to: side), flow.held > 0 || flow.queued > 0 else { return nil }
        return "\(size(flow)) was waiting for the \(side)\(places(flow)); it had accepted nothing for "
            + "\(Story.text(milliseconds: flow.quiet))."
    }
}
