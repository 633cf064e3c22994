internal import Configuration
internal import EventLoop
internal import Logging
internal import Recording
internal import Sockets
internal import Text

/// A recorder's part on its own thread: takes events from the ring, makes segments of them and sees to it that they are
/// written soon.
final class RecorderWriter {
    /// How long it naps between two looks while something comes, milliseconds: what passed is in the file soon after,
    /// and workers need not wake it for every message. Fewer looks cost a worker on the same core less, and longer ones
    /// hold it up longer: see "What was measured" in the article RecordingOnAThreadOfItsOwn.
    private static let nap: UInt64 = 20
    /// The looks without an event after which it sleeps until it is woken.
    private static let looksBeforeSleep = 5

    // MARK: Fixed at birth

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
    /// The same, found for every event, without hashing and without counting a reference.
    private var places = IDTable<Unmanaged<TappedConversation>>()
    private var emptyLooks = 0
    private var clock = RecordingClock()
    /// Whether to finish now, once that was requested; the last request decides.
    private var mayFinish: (@Sendable () -> Bool)?
    private var mustFinish = false
    private var finished: [@Sendable () -> Void] = []
    private var isGoneTold = false
    /// The one connection that this was about has ended.
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

    /// Opens the way in. The mailbox and the timer keep the writer until it has finished.
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
        let seen = consume()
        _ = stream.flush()
        if isOver && !stream.isHolding { stream.leave() }
        stream.rotateIfOld(at: WallClock.now)
        tellMissed()
        if stream.isGone && !isGoneTold {
            isGoneTold = true
            hooks.gone(progress)
        }
        if let mayFinish, mayFinish(), finish() { return }
        emptyLooks = seen ? 0 : min(emptyLooks + 1, Self.looksBeforeSleep)
        restOrSleep()
    }

    /// Takes what is in the ring. Returns whether anything was.
    private func consume() -> Bool {
        var seen = false
        let stream = stream
        repeat {
            let hasRoom = ring.consume { event, bytes, note in
                if stream.isHolding || stream.isDue {
                    guard stream.flush() else { return false }
                }
                let time = clock.time(at: event.ticks)
                guard stream.mayTake(bytes.byteCount, at: time) else { return false }
                handle(event, bytes, note, time)
                seen = true
                return true
            }
            if hasRoom { hooks.hasRoom() }
        } while ring.used > ring.capacity / 8 && !stream.isHolding
        return seen
    }

    private func restOrSleep() {
        let now = EventLoop.nanoseconds
        let wait = stream.wait(from: now).map { max(1, $0 / 1_000_000) }
        if emptyLooks >= Self.looksBeforeSleep, !stream.isHolding, ring.rest(.sleep) {
            if let wait { timer?.start(after: wait) } else { timer?.stop() }
            return
        }
        _ = ring.rest(.nap)
        timer?.start(after: min(wait ?? .max, Self.nap))
    }

    /// Says once in a while what found no room.
    private func tellMissed() {
        let missed = progress.takeMissed()
        missedLogged &+= missed
        guard missedLogged > 0, plan.hasRecords, missedWarnings.allows(at: EventLoop.nanoseconds) else { return }
        logger.warning(
            "the recording's buffer was full",
            metadata: ["recording": "\(plan.name)", "dropped_bytes": "\(missedLogged)"])
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
        case .data:
            places[event.connection]?._withUnsafeGuaranteedRef { data(event, bytes, $0, time) }
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
        // As this recording's clock has it: in order with what is written before.
        if !beginning.isFromMiddle { origin.accepted = time }
        let known = TappedConversation(
            Conversation(origin), account: account, counters: hooks.counters(origin.relay),
            hasRecord: beginning.hasRecord, upStart: beginning.upOffset, downStart: beginning.downOffset)
        // One that began before goes on as another, from the middle.
        if let former = conversations.updateValue(known, forKey: origin.id) { stream.retire(former) }
        places[origin.id] = .passUnretained(known)
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
            // Of the one connection that this is about nothing passed.
            if case .ended = note.content { stream.noteEnding(id, note.account) }
            return
        }
        places[id] = nil
        defer { stream.retire(known) }
        let segments: [Segment]
        if case .ended(var end) = note.content {
            end.time = time
            end.upEnd = known.upStart + recordable(end.bytesUp, after: known.upStart)
            end.downEnd = known.downStart + recordable(end.bytesDown, after: known.downStart)
            // The ring took these bytes, and this thread lost some of them.
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

    /// How much of a flow of `bytes` is to be recorded, where `start` of them had passed before.
    private func recordable(_ bytes: UInt64, after start: UInt64) -> UInt64 {
        min(plan.maxBytes ?? .max, bytes - min(start, bytes))
    }

    /// Writes segments without bytes, if anything is written now.
    private func write(_ known: TappedConversation, _ time: Int64, _ body: (RecordingStream) -> Void) {
        guard stream.prepare(for: RecordingStream.leastRoom, at: time) else { return }
        body(stream)
        stream.endPiece(of: known, .up, 0)
    }

    // MARK: The end

    /// Ends when everything is written, or cannot be. Returns whether it has ended.
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
