internal import Configuration
internal import EventLoop
internal import Logging
internal import Recording
internal import Sockets
internal import Text

/// The bytes of a recording on their way to its sink: blocks are gathered and written in large pieces, and what cannot
/// be written is dropped or held, as the policy says.
///
/// Confined to the recorder's thread.
final class RecordingStream {
    /// What a segment without bytes takes at most, comments included.
    static let leastRoom = 256
    /// How long to wait before a sink that took nothing is tried again, nanoseconds.
    private static let retryAfter: UInt64 = 500_000_000

    private enum State {
        case writing
        /// The sink takes nothing, and what comes is dropped until this moment of the monotonic clock; then one more try.
        case dropping(until: UInt64)
        /// The sink takes nothing, and what is gathered waits; nothing more is taken until then.
        case holding(until: UInt64)
        /// Its reader has gone.
        case gone
    }

    // MARK: Fixed at birth

    private let plan: Recorder.Plan
    private let logger: Logger
    private let progress: RecorderProgress
    /// Beside the sink, for it is asked for every block.
    private let rotation: FileRotation
    private let batch = RecordingBatch()
    /// The batch's. It is here too because going through the batch would count a reference for every block.
    private let buffer: OutputBuffer
    /// Tells that a conversation's end is with the sink, or lost.
    private let finished: (UInt64, TapAccount) -> Void
    /// The monotonic clock, nanoseconds.
    private let ticks: () -> UInt64

    // MARK: The recorder's thread only

    private var sink: RecordingSink
    private var output: PcapngOutput
    private var state = State.writing
    /// How long the file is.
    private var length = 0
    private var beganAt: UInt64 = 0
    private var hasConversations = false
    /// A section has to begin before the next block.
    private var needsSection = true
    /// Lost since the trouble began, and in how many writes.
    private var lostBytes: UInt64 = 0
    private var missing = MissingBytes()
    /// The time of the last packet.
    private var lastTime: Int64 = 0

    init(
        _ plan: Recorder.Plan, sink: RecordingSink, logger: Logger, progress: RecorderProgress,
        finished: @escaping (UInt64, TapAccount) -> Void, ticks: @escaping () -> UInt64 = { EventLoop.nanoseconds }
    ) {
        self.plan = plan
        self.ticks = ticks
        self.sink = sink
        self.logger = logger
        self.progress = progress
        self.finished = finished
        buffer = batch.buffer
        if case .files(_, _, let rotation) = sink { self.rotation = rotation } else { rotation = .never }
        output = PcapngOutput(application: plan.application)
        beganAt = ticks()
        if case .files(_, let file, _) = sink { progress.update { $0.file = file.path } }
        if case .file(let file) = sink { progress.update { $0.file = file.path } }
    }

    /// Writes what every recording begins with, so that a reader that opens it at once finds one.
    func start() {
        guard prepare(for: 0, at: 0) else { return }
        endPiece(of: nil, .up, 0)
        _ = flush()
    }

    /// Nothing more can be taken now.
    var isHolding: Bool { if case .holding = state { true } else { false } }
    var isGone: Bool { if case .gone = state { true } else { false } }

    /// When to look after it by itself, nanoseconds from now; nil: never.
    func wait(from now: UInt64) -> UInt64? {
        switch state {
        case .holding(let until): return until > now ? until - now : 0
        // It is tried again when something comes.
        case .dropping, .gone: return nil
        case .writing:
            guard rotation.age > 0, hasConversations else { return nil }
            let end = beganAt + UInt64(rotation.age)
            return end > now ? end - now : 0
        }
    }

    // MARK: Blocks

    /// Makes ready for a block of about `count` bytes. False when what comes is to be dropped.
    @inline(__always)
    func prepare(for count: Int, at time: Int64) -> Bool {
        if case .writing = state, !needsSection, !isClosed, !isFull(with: count) { return true }
        return prepareAnew(for: count, at: time)
    }

    private func prepareAnew(for count: Int, at time: Int64) -> Bool {
        switch state {
        case .gone: return false
        case .dropping(let until):
            guard ticks() >= until, open(at: time) else { return false }
        case .writing, .holding:
            // Its age is looked at a few times a second, not for every block.
            if isFull(with: count) { rotate(at: time) }
            guard !isHolding, open(at: time) else { return false }
        }
        if needsSection {
            output.begin(into: buffer)
            missing.hand(to: &output)
            needsSection = false
        }
        return true
    }

    /// Under `block`, whether an event of `count` bytes can be taken now: there may have to be another file for it, and
    /// as long as that cannot be made, nothing may be lost.
    @inline(__always)
    func mayTake(_ count: Int, at time: Int64) -> Bool {
        plan.whenFull == .drop || prepare(for: max(count, Self.leastRoom), at: time) || !isHolding
    }

    func append(_ segment: Segment, of conversation: TappedConversation, _ payload: RawSpan) {
        var segment = segment
        // No two packets have one time: where files are merged, times alone say which came first. A clock that was set
        // back is followed.
        if segment.time <= lastTime, lastTime &- segment.time < 1_000_000 { segment.time = lastTime &+ 1 }
        lastTime = segment.time
        if segment.gapBytes > 0 || missing.isTelling { missing.willTell(segment, of: conversation, in: output) }
        output.append(segment, of: conversation.conversation, payload: payload, to: buffer)
        hasConversations = true
    }

    /// What was appended since the last call holds `count` bytes of a flow.
    @inline(__always)
    func endPiece(of owner: TappedConversation?, _ direction: Direction, _ count: UInt64) {
        batch.endPiece(of: owner, direction, count, gaps: missing.takeTold())
    }

    /// Nothing more will be appended of a conversation: it is kept until its pieces are with the sink, or lost.
    func retire(_ conversation: TappedConversation) {
        batch.retire(conversation)
    }

    /// A conversation's end stands in the batch, or is dropped with what comes now.
    func noteEnding(_ id: UInt64, _ account: TapAccount) {
        if !batch.noteEnding(id, account) { finished(id, account) }
    }

    /// Whether enough is gathered to be written.
    var isDue: Bool { batch.isDue }

    // MARK: Writing

    /// Writes what is gathered. False when nothing more can be taken now.
    func flush() -> Bool {
        if case .holding(let until) = state, ticks() < until { return false }
        guard !batch.isTaken else {
            // Only what was written tells that a trouble is over, or a file that could be made.
            batch.removeAll(finished)
            guard isHolding else { return true }
            guard open(at: WallClock.now) else { return false }
            recovered()
            return true
        }
        switch sink {
        case .files(_, let file, _), .file(let file): return write(to: file)
        case .output(let output): return write(to: output)
        case .live(let queue):
            guard queue.offer(buffer) else {
                state = queue.isClosed ? .gone : .holding(until: ticks() + 20_000_000)
                return isGone
            }
            settle()
            return true
        }
    }

    private func write(to file: RecordingFile) -> Bool {
        let taken = batch.taken
        let (count, error) = file.append(buffer, from: taken)
        guard let error else {
            length += count
            settle()
            return true
        }
        // Back to the last whole block.
        let (end, pieces) = batch.wholePieces(in: taken + count)
        do {
            try file.cut(to: length + end - taken)
        } catch {
            logger.error("a recording cannot be cut back to its last whole block", metadata: ["error": "\(error.name)"])
        }
        length += end - taken
        batch.taken = end
        addRecorded(batch.settle(pieces))
        return failed(error, at: file.path)
    }

    private func write(to output: OutputFile) -> Bool {
        let bytes = buffer.withBytes { Array(copying: $0) }
        do {
            try output.write(bytes, from: &batch.taken)
            settle()
            return true
        } catch {
            guard error.isBrokenPipe else {
                // It cannot be cut back, so it goes on where it stopped.
                trouble(error, at: output.name)
                state = .holding(until: ticks() + Self.retryAfter)
                return false
            }
            logger.notice("the reader of \(output.name) is gone: recording ends, the relay continues")
            state = .gone
            loseRest()
            return true
        }
    }

    /// A write failed after which the file stands at the end of a whole block.
    private func failed(_ error: Errno, at path: String) -> Bool {
        trouble(error, at: path)
        let retry = ticks() + Self.retryAfter
        if plan.whenFull == .block {
            state = .holding(until: retry)
            return false
        }
        state = .dropping(until: retry)
        loseRest()
        // More room does not help a file that is too long, or a disk that fails: the next file may.
        if !error.isNoRoom, case .files = sink { isClosed = true }
        return true
    }

    /// All that was gathered is with the sink.
    private func settle() {
        addRecorded(batch.settle())
        batch.removeAll(finished)
        recovered()
    }

    private func addRecorded(_ sum: UInt64) {
        if sum > 0 { progress.update { $0.recorded &+= sum } }
    }

    /// What is gathered and not with the sink is lost.
    private func loseRest() {
        missing.keepUntold(of: output)
        batch.forEachPiece { piece, gaps, owner in
            missing.add(gaps, of: owner)
            guard piece.count > 0 else { return }
            lostBytes &+= piece.count
            progress.update { $0.dropped &+= piece.count }
            owner.account.couldNotWrite(piece.count)
            if owner.hasRecord { owner.counters.addDropped(piece.count) }
            missing.add(piece.count, piece.direction, of: owner)
        }
        // The interfaces and names of the section may be among it: what comes next begins a new one.
        output = PcapngOutput(application: plan.application, kind: .continuation)
        needsSection = true
        batch.removeAll(finished)
    }

    /// Bytes that came while nothing can be written.
    func lose(_ count: UInt64, of owner: TappedConversation) {
        guard owner.account.willNotWrite(count) else { return }
        lostBytes &+= count
        progress.update { $0.dropped &+= count }
        if owner.hasRecord { owner.counters.addDropped(count) }
    }

    // MARK: Troubles

    private func trouble(_ error: Errno, at path: String) {
        guard progress.now.trouble == nil else { return }
        progress.update { $0.trouble = "\(error) (\(error.name))" }
        let rest =
            plan.whenFull == .block
            ? "recorded connections wait until it can be written" : "relaying goes on, what is not recorded is counted"
        logger.error(
            "the recording cannot be written: \(rest)",
            metadata: ["recording": "\(plan.name)", "file": "\(path)", "error": "\(error) (\(error.name))"])
    }

    private func recovered() {
        if case .gone = state { return }
        state = .writing
        guard progress.now.trouble != nil else { return }
        progress.update { $0.trouble = nil }
        logger.notice(
            "the recording is written again",
            metadata: ["recording": "\(plan.name)", "dropped_bytes": "\(lostBytes)"])
        lostBytes = 0
    }

    // MARK: Files

    private var isOld: Bool {
        rotation.age > 0 && hasConversations && Monotonic.elapsed(from: beganAt, to: ticks()) >= UInt64(rotation.age)
    }

    private func isFull(with count: Int) -> Bool {
        guard rotation.size > 0, hasConversations else { return false }
        // Headers and comments come to less than this.
        return length + buffer.count + count + (count >> 4) + 2048 > rotation.size
    }

    /// Closes the file when its time has come.
    func rotateIfOld(at time: Int64) {
        if case .writing = state, isOld { rotate(at: time) }
    }

    private func rotate(at time: Int64) {
        guard case .writing = state else { return }
        end(at: time)
        guard case .writing = state, case .files(var files, let file, let rotation) = sink else { return }
        for (name, error) in files.ended() {
            logger.warning(
                "an old recording cannot be removed", metadata: ["file": "\(name)", "error": "\(error.name)"])
        }
        hasConversations = false
        sink = .files(files, file, rotation)
        isClosed = true
        progress.update { $0.file = nil }
    }

    /// The file is closed and the next one not begun.
    private var isClosed = false

    /// Begins the next file, if it is time. False when that fails.
    private func open(at time: Int64) -> Bool {
        guard isClosed else { return true }
        guard case .files(var files, _, let rotation) = sink else { return true }
        do {
            let file = try files.begin(at: time)
            sink = .files(files, file, rotation)
            isClosed = false
            length = 0
            beganAt = ticks()
            progress.update { $0.file = file.path }
            return true
        } catch {
            trouble(error.errno, at: error.attempt)
            let retry = ticks() + Self.retryAfter
            state = plan.whenFull == .block ? .holding(until: retry) : .dropping(until: retry)
            return false
        }
    }

    /// Writes the end of the recording.
    func end(at time: Int64) {
        if !needsSection {
            output.end(time: time, into: buffer)
            missing.keepUntold(of: output)
            output = PcapngOutput(application: plan.application, kind: .continuation)
            needsSection = true
        }
        endPiece(of: nil, .up, 0)
        _ = flush()
    }

    /// All that was asked for is with the sink.
    func leave() {
        state = .gone
    }

    /// Nothing comes any more. A file without a conversation in it is of no use to anybody.
    func close() {
        if lostBytes > 0, plan.hasRecords {
            logger.warning(
                "a recording ends with bytes missing that could not be written",
                metadata: ["recording": "\(plan.name)", "dropped_bytes": "\(lostBytes)"])
        }
        switch sink {
        case .live(let queue): queue.end()
        case .files(var files, _, _) where !hasConversations && !isClosed: files.discard()
        case .files, .file, .output: break
        }
    }

    /// Gives up what is held: it is over.
    func abandon() {
        if isHolding { loseRest() }
        state = .gone
    }
}
