internal import Configuration
internal import EventLoop
internal import Logging
internal import Recording
internal import Sockets
internal import Text

/// The part of a recorder on its own thread: consumes events from the ring, turns them into segments and writes those.
final class RecorderWriter {
    /// The interval between polls of the ring while events come, milliseconds: relayed bytes are soon in the file, and
    /// workers need not wake the thread for every message. Fewer polls cost a worker on the same core less, but longer
    /// ones delay it longer: see "What was measured" in docs/decisions/why-recording-has-its-own-thread.md.
    private static let pollInterval: UInt64 = 20
    /// The number of empty polls after which it sleeps until it is woken.
    private static let pollsBeforeSleep = 5

    // MARK: Fixed at init

    private let loop: EventLoop
    private let ring: TapRing
    private let progress: RecorderProgress
    private let hooks: Recorder.Hooks
    private let logger: Logger
    private let plan: Recorder.Plan
    private let stream: RecordingStream

    // MARK: The recorder's thread only

    private var mailbox: Mailbox<RecorderCommand>?
    private var timer: Timer?
    private var conversations: [UInt64: TappedConversation] = [:]
    /// The same conversations for lookups without hashing and reference counting.
    private var conversationCache = IDTable<Unmanaged<TappedConversation>>()
    private var emptyPolls = 0
    private var clock = RecordingClock()
    /// The condition of the last request to finish.
    private var mayFinish: (@Sendable () -> Bool)?
    private var mustFinish = false
    private var finished: [@Sendable () -> Void] = []
    private var hasReportedGone = false
    /// Whether the only connection to be recorded has ended.
    private var isOver = false
    private var missedWarnings = Throttle(every: 10_000_000_000)
    private var missedLogged: UInt64 = 0

    init(
        loop: EventLoop, plan: Recorder.Plan, ring: TapRing, sink: RecordingSink, progress: RecorderProgress,
        hooks: Recorder.Hooks, logger: Logger
    ) throws(UVError) {
        self.loop = loop
        self.plan = plan
        self.ring = ring
        self.progress = progress
        self.hooks = hooks
        self.logger = logger
        stream = RecordingStream(plan, sink: sink, logger: logger, progress: progress, finished: hooks.finished)
        timer = Timer(loop: loop) { self.work() }
    }

    /// Opens the mailbox. The mailbox and the timer keep the writer alive until it has finished.
    func open() throws(UVError) -> Mailbox<RecorderCommand> {
        let mailbox = try Mailbox<RecorderCommand>(loop: loop) { [unowned self] commands in
            commands.forEach(note)
            work()
        }
        self.mailbox = mailbox
        stream.start()
        _ = ring.rest(.sleep)
        return mailbox
    }

    private func note(_ command: RecorderCommand) {
        guard case .finish(let whenIdle, let isForced, let done) = command else { return }
        mayFinish = whenIdle
        mustFinish = mustFinish || isForced
        finished.append(done)
    }

    // MARK: Working

    private func work() {
        clock.look()
        let hasConsumed = consume()
        _ = stream.flush()
        if isOver && !stream.isHolding { stream.leave() }
        stream.rotateIfOld(at: WallClock.now)
        logMissed()
        if stream.isGone && !hasReportedGone {
            hasReportedGone = true
            hooks.gone(progress)
        }
        if let mayFinish, mayFinish(), finish() { return }
        emptyPolls = hasConsumed ? 0 : min(emptyPolls + 1, Self.pollsBeforeSleep)
        napOrSleep()
    }

    /// Consumes the ring's events. Returns whether there were any.
    private func consume() -> Bool {
        var hasConsumed = false
        let stream = stream
        repeat {
            let hasRoom = ring.consume { event, bytes, note in
                if stream.isHolding || stream.isDue {
                    guard stream.flush() else { return false }
                }
                let time = clock.time(at: event.ticks)
                guard stream.mayTake(bytes.byteCount, at: time) else { return false }
                handle(event, bytes, note, time)
                hasConsumed = true
                return true
            }
            if hasRoom { hooks.hasRoom() }
        } while ring.used > ring.capacity / 8 && !stream.isHolding
        return hasConsumed
    }

    private func napOrSleep() {
        let now = EventLoop.nanoseconds
        let wait = stream.wait(from: now).map { max(1, $0 / 1_000_000) }
        if emptyPolls >= Self.pollsBeforeSleep, !stream.isHolding, ring.rest(.sleep) {
            if let wait { timer?.start(after: wait) } else { timer?.stop() }
            return
        }
        _ = ring.rest(.nap)
        timer?.start(after: min(wait ?? .max, Self.pollInterval))
    }

    /// Logs the bytes that did not fit into the ring, at most every 10 s.
    private func logMissed() {
        let missed = progress.takeMissed()
        missedLogged &+= missed
        guard missedLogged > 0, plan.hasRecords, missedWarnings.allows(at: EventLoop.nanoseconds) else { return }
        logger.warning(
            "the recording's buffer was full",
            metadata: ["recording": "\(plan.name)", "dropped_bytes": .stringConvertible(missedLogged)])
        missedLogged = 0
    }

    // MARK: Events

    private func handle(_ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?, _ time: Int64) {
        switch event.kind {
        case .begun:
            guard case .begun(let beginning) = note?.content, let account = note?.account else { return }
            begin(beginning, account, time)
        case .connected:
            guard case .connected(let address) = note?.content, let known = conversations[event.connection] else {
                return
            }
            let (synAck, ack) = known.conversation.connected(time: time, upstreamAddress: address)
            write(known, time) {
                $0.append(synAck, of: known, RawSpan())
                $0.append(ack, of: known, RawSpan())
            }
        case .secured:
            guard case .secured(let session) = note?.content, let known = conversations[event.connection] else {
                return
            }
            known.conversation.secured(session)
        case .data:
            conversationCache[event.connection]?._withUnsafeGuaranteedRef { data(event, bytes, $0, time) }
        case .keys:
            guard let known = conversations[event.connection] else { return }
            let lines = Array(copying: bytes)
            known.conversation.add(secrets: lines)
            write(known, time) { $0.append(secrets: lines, of: known) }
        case .flowEnded:
            guard let known = conversations[event.connection] else { return }
            end(event.direction, at: event.offset, of: known, time)
        case .ended, .stopped:
            guard let note else { return }
            over(event.connection, note, time)
        }
    }

    private func begin(_ beginning: TapBeginning, _ account: TapAccount, _ time: Int64) {
        var origin = beginning.origin
        // By this recording's clock, so that it is in order with earlier packets.
        if !beginning.isFromMiddle { origin.accepted = time }
        let known = TappedConversation(
            Conversation(origin), account: account, counters: hooks.counters(origin.relay),
            hasRecord: beginning.hasRecord, upStart: beginning.upOffset, downStart: beginning.downOffset)
        for session in beginning.sessions { known.conversation.secured(session) }
        // A conversation that already began is replaced by a new one, from the middle.
        if let former = conversations.updateValue(known, forKey: origin.key) { stream.retire(former) }
        conversationCache[origin.key] = .passUnretained(known)
        guard beginning.isFromMiddle else {
            let syn = known.conversation.accepted()
            return write(known, time) { $0.append(syn, of: known, RawSpan()) }
        }
        known.conversation.resumed(
            upOffset: beginning.upOffset, downOffset: beginning.downOffset,
            isConnected: beginning.upstreamAddress != nil, upHasEnded: beginning.endedFlows.contains(.up),
            downHasEnded: beginning.endedFlows.contains(.down), upstreamAddress: beginning.upstreamAddress)
    }

    @inline(__always)
    private func data(_ event: TapEvent, _ bytes: RawSpan, _ known: TappedConversation, _ time: Int64) {
        let count = UInt64(bytes.byteCount)
        guard stream.prepare(for: bytes.byteCount, at: time) else { return stream.lose(count, of: known) }
        guard known.account.willWrite(count) else { return }
        var cursor = known.conversation.beginData(
            direction: event.direction, offset: event.offset, count: bytes.byteCount, time: time)
        while let segment = known.conversation.next(&cursor) {
            stream.append(segment, of: known, bytes)
        }
        stream.endPiece(of: known, event.direction, count)
    }

    private func end(_ direction: Direction, at offset: UInt64, of known: TappedConversation, _ time: Int64) {
        let (acknowledgement, fin) = known.conversation.ended(direction: direction, offset: offset, time: time)
        write(known, time) { stream in
            if let acknowledgement { stream.append(acknowledgement, of: known, RawSpan()) }
            if let fin { stream.append(fin, of: known, RawSpan()) }
        }
    }

    private func over(_ id: UInt64, _ note: TapNote, _ time: Int64) {
        if case .ended = note.content, plan.selection.connection == id { isOver = true }
        guard let known = conversations.removeValue(forKey: id) else {
            // Nothing was recorded of the only connection to be recorded.
            if case .ended = note.content { stream.noteEnding(id, note.account) }
            return
        }
        conversationCache[id] = nil
        defer { stream.retire(known) }
        let segments: [Segment]
        if case .ended(var end) = note.content {
            end.time = time
            end.upEnd = known.upStart + recordable(end.bytesUp, after: known.upStart)
            end.downEnd = known.downStart + recordable(end.bytesDown, after: known.downStart)
            // Bytes that fit into the ring and could not be written.
            let lost = min(known.account.lost, end.recordedBytes)
            end.recordedBytes -= lost
            end.droppedBytes &+= lost
            segments = known.conversation.closed(end)
        } else {
            segments = [known.conversation.stopped(time: time)]
        }
        write(known, time) { stream in
            for segment in segments { stream.append(segment, of: known, RawSpan()) }
        }
        known.isOver = true
        if case .ended = note.content { stream.noteEnding(id, note.account) }
    }

    /// The number of bytes to be recorded of a flow of `bytes`, of which `start` preceded the recording.
    private func recordable(_ bytes: UInt64, after start: UInt64) -> UInt64 {
        min(plan.maxBytes ?? .max, bytes - min(start, bytes))
    }

    /// Writes segments without payload, unless the stream drops them.
    private func write(_ known: TappedConversation, _ time: Int64, _ body: (RecordingStream) -> Void) {
        guard stream.prepare(for: RecordingStream.leastRoom, at: time) else { return }
        body(stream)
        stream.endPiece(of: known, .up, 0)
    }

    // MARK: End

    /// Ends once everything is written, or cannot be written. Returns whether it has ended.
    private func finish() -> Bool {
        let mayWait = plan.whenFull == .block && !mustFinish
        if stream.isHolding {
            if mayWait { return false }
            stream.abandon()
        }
        if ring.used > 0 {
            _ = consume()
            _ = stream.flush()
            if ring.used > 0 { return false }
        }
        stream.end(at: clock.time(at: EventLoop.nanoseconds))
        if stream.isHolding {
            if mayWait { return false }
            stream.abandon()
        }
        stream.close()
        progress.update { $0.file = nil }
        timer?.close()
        timer = nil
        mailbox?.close().forEach(note)
        mailbox = nil
        for done in finished { done() }
        return true
    }
}
