internal import Glibc
package import Sockets
internal import Synchronization

/// A thread that renders items and writes them to one output, so that no worker ever waits for a terminal, a pipe or a
/// disk.
///
/// Any thread posts. The pending items are bounded; one that does not fit is lost and counted, which `reserve` returns
/// at once and `report` gets. `finish` ends the thread; without it, the thread ends with the process.
package final class OutputWriter<Item: Sendable>: Sendable {
    /// Appends the bytes of one item. Called on the writer's thread only.
    package typealias Render = (Item, inout [UInt8]) -> Void
    /// Receives the output's problems, on any thread; may return an item that reports them in this output.
    package typealias Report = @Sendable (OutputTrouble) -> Item?

    private let ledger: OutputLedger
    private let report: Report
    private let mailbox: Mailbox<OutputMessage<Item>>
    private let thread: LoopThread

    /// Starts the thread. `limit` bounds the costs of pending items, in the caller's unit. `render` is passed to the
    /// thread and used nowhere else.
    package init(
        name: String, output: OutputFile, limit: Int, report: @escaping Report, render: sending @escaping Render
    ) throws {
        let ledger = OutputLedger(limit: limit)
        self.ledger = ledger
        self.report = report
        (thread, mailbox) = try LoopThread.start(name: name) { loop in
            let sink = OutputSink(output: output, ledger: ledger, report: report, render: render)
            return try sink.open(on: loop)
        }
    }

    /// Reserves room for an item of that cost; false when there is none, and the item is lost. After true,
    /// `post(reserved:)` follows; they are separate because making the item may be the expensive part. `note` is called
    /// for a lost item before the loss can be reported.
    package func reserve(_ cost: Int, losing note: () -> Void = {}) -> Bool {
        if ledger.reserve(cost) { return true }
        note()
        if ledger.lose(1), let item = report(.full) {
            ledger.add(1)
            post(item, reserved: 1)
        }
        return false
    }

    /// Posts an item that has a reservation. `afterwards` is called once, when its bytes were written or are lost: on
    /// the writer's thread, or at once where the writer has ended.
    package func post(_ item: Item, reserved cost: Int, then afterwards: (@Sendable () -> Void)? = nil) {
        guard mailbox.post(.item(item, cost: cost, afterwards)) else {
            // The writer has ended: only a thread's last lines can arrive here.
            ledger.release(cost)
            _ = ledger.lose(1)
            afterwards?()
            return
        }
    }

    /// Posts an item of cost 1; without room it is lost and counted.
    package func post(_ item: Item) {
        if reserve(1) { post(item, reserved: 1) }
    }

    /// Posts an item that must arrive, even without room. For the few that are bounded otherwise.
    package func postAlways(_ item: Item, then afterwards: (@Sendable () -> Void)? = nil) {
        ledger.add(1)
        post(item, reserved: 1, then: afterwards)
    }

    /// The costs of pending items.
    package var waiting: Int { ledger.waiting }

    /// The number of items of cost 1 that are pending or lost: what would be missing if the process ended now.
    package var missing: Int { ledger.waiting + ledger.lost }

    /// Writes what is pending, counts and reports what cannot be written, then ends the thread. `done` is called on the
    /// writer's thread, or at once where the writer has ended; `join` returns soon after it. Every call gets its
    /// `done`, also when there are several.
    package func finish(then done: @escaping @Sendable () -> Void) {
        if !mailbox.post(.finish(done)) { done() }
    }

    /// Joins the thread, after `finish`.
    package func join() {
        thread.join()
    }
}

/// A message to a writer.
private enum OutputMessage<Item: Sendable>: Sendable {
    case item(Item, cost: Int, (@Sendable () -> Void)?)
    case finish(@Sendable () -> Void)
}

/// The pending costs and lost items of a writer. Any thread.
private final class OutputLedger: Sendable {
    private let limit: Int
    private let waitingCost = Atomic<Int>(0)
    private let lostItems = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    var waiting: Int { waitingCost.load(ordering: .relaxed) }
    var lost: Int { lostItems.load(ordering: .relaxed) }

    /// Adds the cost, unless the limit would be exceeded.
    func reserve(_ cost: Int) -> Bool {
        if waitingCost.add(cost, ordering: .relaxed).newValue <= limit { return true }
        release(cost)
        return false
    }

    /// Adds the cost in any case.
    func add(_ cost: Int) {
        waitingCost.add(cost, ordering: .relaxed)
    }

    /// Subtracts the cost.
    func release(_ cost: Int) {
        waitingCost.subtract(cost, ordering: .relaxed)
    }

    /// Adds lost items; true for the first since they were last reported.
    func lose(_ count: Int) -> Bool {
        count > 0 && lostItems.add(count, ordering: .relaxed).oldValue == 0
    }

    /// The items lost since the last call.
    func takeLost() -> Int {
        lostItems.exchange(0, ordering: .relaxed)
    }
}

/// The part on the writer's own thread: renders a batch, writes it with one call, and keeps what could not be written.
private final class OutputSink<Item: Sendable> {
    /// Large enough for cheap writes, small enough to keep in memory.
    private let batchSize = 256 * 1024
    /// The delay before a failed write is repeated, in milliseconds.
    private let retryDelay: UInt64 = 1000
    /// While items arrive within this interval, in nanoseconds …
    private let busyInterval: UInt64 = 20_000_000
    /// … the thread sleeps after a batch, in microseconds, and the next batch is larger: a wake-up per item would cost
    /// the posting worker and this thread more than the item does.
    private let rest: useconds_t = 5000

    private let output: OutputFile
    private let ledger: OutputLedger
    private let report: OutputWriter<Item>.Report
    private let render: OutputWriter<Item>.Render
    private var mailbox: Mailbox<OutputMessage<Item>>?
    private var retry: Timer?

    /// Messages from `next` on are not rendered yet.
    private var backlog: [OutputMessage<Item>] = []
    private var next = 0
    /// Rendered bytes; those before `written` are written.
    private var batch: [UInt8] = []
    private var written = 0
    /// The end of each rendered item in the batch, for counting lost ones, and their cost.
    private var ends: [Int] = []
    private var batchCost = 0
    /// The callbacks of the batch's items.
    private var batchCallbacks: [@Sendable () -> Void] = []
    private var failure: Errno?
    private var lastBusy: UInt64 = 0
    /// The callbacks of `finish`.
    private var finished: [@Sendable () -> Void] = []

    init(
        output: OutputFile, ledger: OutputLedger, report: @escaping OutputWriter<Item>.Report,
        render: @escaping OutputWriter<Item>.Render
    ) {
        self.output = output
        self.ledger = ledger
        self.report = report
        self.render = render
    }

    /// Opens the mailbox. Its handler keeps this object alive until it is closed.
    func open(on loop: EventLoop) throws(UVError) -> Mailbox<OutputMessage<Item>> {
        retry = Timer(loop: loop) { [unowned self] in work() }
        let mailbox = try Mailbox<OutputMessage<Item>>(loop: loop) { [self] in handle($0) }
        self.mailbox = mailbox
        return mailbox
    }

    /// Whether a failed write is to be repeated.
    private var isHeld: Bool { written < batch.count }

    private func handle(_ messages: [OutputMessage<Item>]) {
        let wasHeld = isHeld
        if backlog.isEmpty {
            backlog = messages
        } else {
            // Rendered messages are removed; otherwise a backlog that never becomes empty would grow without bound.
            backlog.removeSubrange(..<next)
            next = 0
            backlog.append(contentsOf: messages)
        }
        for case .finish(let action) in messages { finished.append(action) }
        // While a write is held, only the timer repeats it, not every message; the end is worth one more attempt.
        if !wasHeld || !finished.isEmpty { work() }
        if finished.isEmpty { restIfBusy() } else { end() }
    }

    /// Only messages wake this thread, and they may wait a moment.
    private func restIfBusy() {
        let now = EventLoop.nanoseconds
        if Monotonic.elapsed(from: lastBusy, to: now) < busyInterval { usleep(rest) }
        lastBusy = now
    }

    /// Writes until nothing is pending or the output fails.
    private func work() {
        while true {
            if !isHeld { fillBatch() }
            if batch.isEmpty {
                let lost = failure == nil ? ledger.takeLost() : 0
                guard lost > 0 else { return }
                insertReport(of: .recovered(lost: lost))
            } else if !writeBatch() {
                return
            }
        }
    }

    private func fillBatch() {
        while next < backlog.count, batch.count < batchSize {
            addToBatch(backlog[next])
            next += 1
        }
        if next == backlog.count {
            backlog = []
            next = 0
        }
    }

    private func addToBatch(_ message: OutputMessage<Item>) {
        switch message {
        case .item(let item, let cost, let afterwards):
            render(item, &batch)
            ends.append(batch.count)
            batchCost += cost
            if let afterwards { batchCallbacks.append(afterwards) }
        case .finish: break
        }
    }

    /// Writes the batch; false when it must be repeated later.
    private func writeBatch() -> Bool {
        do {
            try write()
            if failure != nil {
                failure = nil
                insertReport(of: .recovered(lost: ledger.takeLost()))
            }
        } catch {
            let mayRecover = Self.mayRecover(error)
            if failure == nil { insertReport(of: .failed(error, mayRecover: mayRecover)) }
            failure = error
            if mayRecover {
                retry?.start(after: retryDelay)
                return false
            }
            _ = ledger.lose(ends.count { $0 > written })
            written = batch.count
        }
        ledger.release(batchCost)
        batchCost = 0
        callBack()
        batch.removeAll(keepingCapacity: batch.capacity <= batchSize / 4)
        ends.removeAll(keepingCapacity: ends.capacity <= batchSize / 64)
        written = 0
        return true
    }

    /// The batch is written or lost.
    private func callBack() {
        let callbacks = batchCallbacks
        batchCallbacks = []
        for afterwards in callbacks { afterwards() }
    }

    /// In one call; or, while another process writes there too, in pieces of whole items that the kernel writes
    /// atomically.
    private func write() throws(Errno) {
        guard output.isShared else { return try output.write(batch, from: &written) }
        var end = written
        for next in ends where next > written {
            if next - written > OutputFile.unbrokenBytes, end > written {
                try output.write(batch, from: &written, to: end)
            }
            end = next
        }
        try output.write(batch, from: &written)
    }

    /// A full disk can get room again. A pipe without a reader and a closed descriptor cannot recover.
    private static func mayRecover(_ error: Errno) -> Bool {
        ![EPIPE, EBADF, EINVAL].contains(error.code)
    }

    private func insertReport(of trouble: OutputTrouble) {
        guard let item = report(trouble) else { return }
        ledger.add(1)
        backlog.insert(.item(item, cost: 1, nil), at: next)
    }

    /// Writes what arrived during the last batch, and ends the thread by closing everything that keeps its loop alive.
    private func end() {
        let last = mailbox?.close() ?? []
        for case .finish(let action) in last { finished.append(action) }
        backlog.append(contentsOf: last)
        if !isHeld { work() }
        var left = 0
        for case .item(_, _, let afterwards) in backlog[min(next, backlog.count)...] {
            left += 1
            if let afterwards { batchCallbacks.append(afterwards) }
        }
        _ = ledger.lose(left + ends.count { $0 > written })
        callBack()
        let lost = ledger.takeLost()
        if lost > 0 { _ = report(.ended(lost: lost)) }
        retry?.close()
        retry = nil
        mailbox = nil
        let actions = finished
        finished = []
        for done in actions { done() }
    }
}
