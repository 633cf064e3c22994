internal import Configuration
internal import EventLoop
internal import Logging
internal import Recording
internal import Sockets
internal import Text

/// The output stream of a recording: gathers blocks and writes them in large batches. What cannot be written is dropped
/// or held, depending on the policy.
///
/// Confined to the recorder's thread.
final class RecordingStream {
    /// The largest size of a segment without payload, including comments.
    static let leastRoom = 256
    /// The delay before a failed write is retried, nanoseconds.
    static let retryAfter: UInt64 = 500_000_000

    enum State {
        case writing
        /// Writing failed: everything is dropped until this time of the monotonic clock, then writing is retried.
        case dropping(until: UInt64)
        /// Writing failed: the batch is kept and nothing more is accepted until this time, then writing is retried.
        case holding(until: UInt64)
        /// The reader has gone, or the recording is over.
        case gone
    }

    // MARK: Fixed at init

    let plan: Recorder.Plan
    let logger: Logger
    let progress: RecorderProgress
    /// A copy of the sink's, because every block needs it.
    let rotation: FileRotation
    private let batch = RecordingBatch()
    /// The batch's buffer. A separate reference, because access through the batch would retain it for every block.
    let buffer: OutputBuffer
    /// Called when a conversation's end was written or lost.
    private let finished: (UInt64, TapAccount) -> Void
    /// The monotonic clock, nanoseconds.
    let ticks: () -> UInt64

    // MARK: The recorder's thread only

    var sink: RecordingSink
    private var output: PcapngOutput
    var state = State.writing
    /// The length of the file.
    var length = 0
    /// When the file was begun, by `ticks`.
    var beganAt: UInt64 = 0
    /// Whether the file contains a conversation.
    var hasConversations = false
    /// Whether the file was closed and the next one not begun.
    var isClosed = false
    /// Whether a section header must precede the next block.
    private var needsSection = true
    /// Bytes lost since writing failed.
    private var lostBytes: UInt64 = 0
    private var missing = MissingBytes()
    /// The time of the last packet.
    private var lastTime: Int64 = 0
    /// Packets of the batch.
    private var packets: UInt64 = 0

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
        if case .files(_, let file, _) = sink { begin(file.path) }
        if case .file(let file) = sink { begin(file.path) }
    }

    /// Reports the file that is written from now on.
    func begin(_ path: String) {
        progress.update { view in
            view.file = path
            view.lastFile = path
        }
    }

    /// Writes the section header at once, so that a reader can open the recording.
    func start() {
        guard prepare(for: 0, at: 0) else { return }
        endPiece(of: nil, .up, 0)
        _ = flush()
    }

    /// Whether nothing more can be accepted now.
    var isHolding: Bool { if case .holding = state { true } else { false } }
    var isGone: Bool { if case .gone = state { true } else { false } }

    /// The time until a retry or a rotation is due, nanoseconds; nil: none.
    func wait(from now: UInt64) -> UInt64? {
        switch state {
        case .holding(let until): return until > now ? until - now : 0
        // Writing is retried with the next event.
        case .dropping, .gone: return nil
        case .writing:
            guard rotation.age > 0, hasConversations else { return nil }
            let end = beganAt + UInt64(rotation.age)
            return end > now ? end - now : 0
        }
    }

    // MARK: Blocks

    /// Prepares for a block of about `count` bytes. False if the block is to be dropped.
    @inline(__always)
    func prepare(for count: Int, at time: Int64) -> Bool {
        if case .writing = state, !needsSection, !isClosed, !isFull(with: count) { return true }
        return prepareSlowly(for: count, at: time)
    }

    private func prepareSlowly(for count: Int, at time: Int64) -> Bool {
        switch state {
        case .gone: return false
        case .dropping(let until):
            guard ticks() >= until, open(at: time) else { return false }
        case .writing, .holding:
            // The age is checked a few times per second, not for every block.
            if isFull(with: count) { rotate(at: time) }
            guard !isHolding, open(at: time) else { return false }
        }
        if needsSection {
            output.begin(into: buffer)
            missing.movePending(to: &output)
            needsSection = false
        }
        return true
    }

    /// Whether an event of `count` bytes can be accepted now. Under `block` it must wait if it needs another file that
    /// cannot be created, because nothing may be lost.
    @inline(__always)
    func mayTake(_ count: Int, at time: Int64) -> Bool {
        plan.whenFull == .drop || prepare(for: max(count, Self.leastRoom), at: time) || !isHolding
    }

    func append(_ segment: Segment, of conversation: TappedConversation, _ payload: RawSpan) {
        var segment = segment
        // Packets have distinct times, because only the times give the order when files are merged. If the clock was
        // set back, the times follow it.
        if segment.time <= lastTime, lastTime &- segment.time < 1_000_000 { segment.time = lastTime &+ 1 }
        lastTime = segment.time
        if segment.gapBytes > 0 || missing.hasUnreported { missing.willReport(segment, of: conversation, in: output) }
        output.append(segment, of: conversation.conversation, payload: payload, to: buffer)
        hasConversations = true
        packets &+= 1
    }

    /// Appends keys that decrypt the conversation's next bytes.
    func append(secrets lines: [UInt8], of conversation: TappedConversation) {
        output.append(secrets: lines, of: conversation.conversation, to: buffer)
    }

    /// Ends a piece: the blocks since the last call hold `count` bytes of a flow.
    @inline(__always)
    func endPiece(of owner: TappedConversation?, _ direction: Direction, _ count: UInt64) {
        batch.endPiece(of: owner, direction, count, gaps: missing.takeReported())
    }

    /// Keeps an ended conversation until its pieces are written or lost.
    func retire(_ conversation: TappedConversation) {
        batch.retire(conversation)
    }

    /// Reports a conversation's end as finished once the batch is written or lost; at once if the batch is empty.
    func noteEnding(_ id: UInt64, _ account: TapAccount) {
        if !batch.noteEnding(id, account) { finished(id, account) }
    }

    /// Whether the batch is large enough to be written.
    var isDue: Bool { batch.isDue }

    // MARK: Writing

    /// Writes the batch. False if nothing more can be accepted now.
    func flush() -> Bool {
        if case .holding(let until) = state, ticks() < until { return false }
        guard !batch.isTaken else {
            // An empty batch does not show that writing works again, but a newly created file does.
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
            batchWritten()
            return true
        }
    }

    private func write(to file: RecordingFile) -> Bool {
        let taken = batch.taken
        let (count, error) = file.append(buffer, from: taken)
        guard let error else {
            length += count
            batchWritten()
            return true
        }
        // Truncates the file to the last complete block.
        let (end, pieces) = batch.wholePieces(in: taken + count)
        do {
            try file.cut(to: length + end - taken)
        } catch {
            logger.error(
                "a recording cannot be truncated to its last complete block", metadata: ["error": "\(error.name)"])
        }
        length += end - taken
        batch.taken = end
        addRecorded(batch.countRecorded(pieces))
        return failed(error, at: file.path)
    }

    private func write(to output: OutputFile) -> Bool {
        let bytes = buffer.withBytes { Array(copying: $0) }
        do {
            try output.write(bytes, from: &batch.taken)
            batchWritten()
            return true
        } catch {
            guard error.isBrokenPipe else {
                // It cannot be truncated, so writing resumes where it stopped.
                reportTrouble(error, at: output.name)
                state = .holding(until: ticks() + Self.retryAfter)
                return false
            }
            logger.notice("the reader of \(output.name) has closed it: recording stops, the relay continues")
            state = .gone
            loseRest()
            return true
        }
    }

    /// Handles a failed write, after the file was truncated to the last complete block.
    private func failed(_ error: Errno, at path: String) -> Bool {
        reportTrouble(error, at: path)
        let retry = ticks() + Self.retryAfter
        if plan.whenFull == .block {
            state = .holding(until: retry)
            return false
        }
        state = .dropping(until: retry)
        loseRest()
        // Waiting for room does not help if the file is too long or the disk fails, but the next file may.
        if !error.isNoRoom, case .files = sink { isClosed = true }
        return true
    }

    /// The whole batch was written.
    private func batchWritten() {
        addRecorded(batch.countRecorded())
        if packets > 0 { progress.update { $0.packets &+= packets } }
        packets = 0
        batch.removeAll(finished)
        recovered()
    }

    private func addRecorded(_ sum: UInt64) {
        if sum > 0 { progress.update { $0.recorded &+= sum } }
    }

    /// Discards the unwritten part of the batch and counts it as lost.
    private func loseRest() {
        packets = 0
        missing.keepUnreported(of: output)
        batch.forEachPiece { piece, gaps, owner in
            missing.add(gaps, of: owner)
            guard piece.count > 0 else { return }
            lostBytes &+= piece.count
            progress.update { $0.dropped &+= piece.count }
            owner.account.couldNotWrite(piece.count)
            if owner.hasRecord { owner.counters.addDropped(piece.count) }
            missing.add(piece.count, piece.direction, of: owner)
        }
        // The section's interfaces and names may be lost too, so a new section begins.
        output = PcapngOutput(application: plan.application, kind: .continuation)
        needsSection = true
        batch.removeAll(finished)
    }

    /// Counts bytes as lost that arrived while nothing can be written.
    func lose(_ count: UInt64, of owner: TappedConversation) {
        guard owner.account.willNotWrite(count) else { return }
        lostBytes &+= count
        progress.update { $0.dropped &+= count }
        if owner.hasRecord { owner.counters.addDropped(count) }
    }

    // MARK: Trouble

    /// Logs the first error since writing last worked.
    func reportTrouble(_ error: Errno, at path: String) {
        guard progress.now.trouble == nil else { return }
        progress.update { $0.trouble = "\(error) (\(error.name))" }
        let rest =
            plan.whenFull == .block
            ? "recorded connections wait until it can be written" : "relaying continues, and lost bytes are counted"
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
            "the recording can be written again",
            metadata: ["recording": "\(plan.name)", "dropped_bytes": .stringConvertible(lostBytes)])
        lostBytes = 0
    }

    // MARK: End

    /// Ends the section and writes the batch.
    func end(at time: Int64) {
        if !needsSection {
            output.end(time: time, into: buffer)
            missing.keepUnreported(of: output)
            output = PcapngOutput(application: plan.application, kind: .continuation)
            needsSection = true
        }
        endPiece(of: nil, .up, 0)
        _ = flush()
    }

    /// Ends the recording after everything requested was written.
    func leave() {
        state = .gone
    }

    /// Closes the sink, and removes a file without conversations.
    func close() {
        if lostBytes > 0, plan.hasRecords {
            logger.warning(
                "a recording ends without bytes that could not be written",
                metadata: ["recording": "\(plan.name)", "dropped_bytes": .stringConvertible(lostBytes)])
        }
        switch sink {
        case .live(let queue): queue.end()
        case .files(var files, _, _) where !hasConversations && !isClosed: files.discard()
        case .files, .file, .output: break
        }
    }

    /// Discards the held batch and ends the recording.
    func abandon() {
        if isHolding { loseRest() }
        state = .gone
    }
}
