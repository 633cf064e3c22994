import EventLoop
import Glibc
import Sockets
import Synchronization

/// A thread that makes bytes of items and writes them to one output, so that no worker ever waits for a terminal, a
/// pipe or a disk.
///
/// Any thread posts. What waits is bounded; an item that does not fit is lost and counted, which the poster learns at
/// once, and which is passed to `report`. `finish` ends the thread; without it the process ends with the thread still waiting.
final class OutputWriter<Item: Sendable>: Sendable {
    /// Makes the bytes of one item, at the end of the bytes given. It is called on the writer's thread only.
    typealias Render = (Item, inout [UInt8]) -> Void
    /// Gets the output's troubles, on any thread, and may return an item that reports them in this output.
    typealias Report = @Sendable (OutputTrouble) -> Item?

    private let ledger: OutputLedger
    private let report: Report
    private let mailbox: Mailbox<OutputMessage<Item>>
    private let thread: LoopThread

    /// Starts the thread. At most `limit` may wait, in whatever unit the costs of items are. `render` crosses to the
    /// thread and is used nowhere else.
    init(
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

    /// Makes room for an item of that cost; false when there is none, and the item is lost. With room made,
    /// `post(reserved:)` follows. Apart from it because making the item may be the expensive part. `note` is called for an
    /// item that is lost, before the loss can be reported.
    func reserve(_ cost: Int, losing note: () -> Void = {}) -> Bool {
        if ledger.reserve(cost) { return true }
        note()
        if ledger.lose(1), let item = report(.full) {
            ledger.take(1)
            post(item, reserved: 1)
        }
        return false
    }

    /// Posts an item that room was made for.
    func post(_ item: Item, reserved cost: Int) {
        guard mailbox.post(.item(item, cost: cost)) else {
            // The writer has ended: only what a thread says in its last moments comes here.
            ledger.release(cost)
            _ = ledger.lose(1)
            return
        }
    }

    /// Posts an item of cost 1; when there is no room it is lost and counted.
    func post(_ item: Item) {
        if reserve(1) { post(item, reserved: 1) }
    }

    /// Posts an item that must arrive, though there may be no room. For the few that are bounded by something else.
    func postAlways(_ item: Item) {
        ledger.take(1)
        post(item, reserved: 1)
    }

    /// What waits, in the unit of the costs.
    var waiting: Int { ledger.waiting }

    /// How many items of cost 1 wait or were lost: what is missing in the output, should the process end now.
    var missing: Int { ledger.waiting + ledger.lost }

    /// Writes what waits, counts what cannot be written as lost and reports that, then ends the thread. `done` is
    /// called on the writer's thread, or at once where the writer has ended already; after it `join` returns soon. Every
    /// call is answered, also when there are several.
    func finish(then done: @escaping @Sendable () -> Void) {
        if !mailbox.post(.finish(done)) { done() }
    }

    /// Waits until the thread has ended, after `finish`.
    func join() {
        thread.join()
    }
}

/// What is posted to a writer.
private enum OutputMessage<Item: Sendable>: Sendable {
    case item(Item, cost: Int)
    case finish(@Sendable () -> Void)
}

/// What waits for a writer and what was lost, counted by all threads.
private final class OutputLedger: Sendable {
    private let limit: Int
    private let waitingCost = Atomic<Int>(0)
    private let lostItems = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    var waiting: Int { waitingCost.load(ordering: .relaxed) }
    var lost: Int { lostItems.load(ordering: .relaxed) }

    /// Counts the cost as waiting, unless that would be too much.
    func reserve(_ cost: Int) -> Bool {
        if waitingCost.add(cost, ordering: .relaxed).newValue <= limit { return true }
        release(cost)
        return false
    }

    /// Counts the cost as waiting in any case.
    func take(_ cost: Int) {
        waitingCost.add(cost, ordering: .relaxed)
    }

    /// The cost no longer waits.
    func release(_ cost: Int) {
        waitingCost.subtract(cost, ordering: .relaxed)
    }

    /// Counts lost items; true for the first since they were last told.
    func lose(_ count: Int) -> Bool {
        count > 0 && lostItems.add(count, ordering: .relaxed).oldValue == 0
    }

    /// The items lost since the last call.
    func takeLost() -> Int {
        lostItems.exchange(0, ordering: .relaxed)
    }
}

/// The writer's part on its own thread: renders a batch, writes it with one call, and keeps what could not be written.
private final class OutputSink<Item: Sendable> {
    /// Enough for one `write` to be cheap, and little enough to hold.
    private let batchSize = 256 * 1024
    /// How long to wait before a failed write is tried again, in milliseconds.
    private let retryDelay: UInt64 = 1000
    /// While items come this fast one after the other, in nanoseconds …
    private let busyInterval: UInt64 = 20_000_000
    /// … the thread rests after a batch, in microseconds, and the next one is larger: a wake-up for every item would
    /// cost the worker that posts it and this thread more than the item does.
    private let rest: useconds_t = 5000

    private let output: OutputFile
    private let ledger: OutputLedger
    private let report: OutputWriter<Item>.Report
    private let render: OutputWriter<Item>.Render
    private var mailbox: Mailbox<OutputMessage<Item>>?
    private var retry: Timer?

    /// Messages not rendered yet, from `next` on.
    private var backlog: [OutputMessage<Item>] = []
    private var next = 0
    /// Rendered bytes, of which those before `written` are out.
    private var batch: [UInt8] = []
    private var written = 0
    /// Where each rendered item ends in the batch, so that the lost ones can be counted, and what they cost.
    private var ends: [Int] = []
    private var batchCost = 0
    private var failure: Errno?
    private var lastBusy: UInt64 = 0
    /// What to call at the end, once the end was asked for.
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

    /// Opens the way in. The mailbox's handler keeps this object alive until it is closed.
    func open(on loop: EventLoop) throws(UVError) -> Mailbox<OutputMessage<Item>> {
        retry = Timer(loop: loop) { [unowned self] in work() }
        let mailbox = try Mailbox<OutputMessage<Item>>(loop: loop) { [self] in handle($0) }
        self.mailbox = mailbox
        return mailbox
    }

    /// Whether a write failed that may succeed later.
    private var isHeld: Bool { written < batch.count }

    private func handle(_ messages: [OutputMessage<Item>]) {
        let wasHeld = isHeld
        if backlog.isEmpty {
            backlog = messages
        } else {
            // What was rendered goes, or a backlog that never becomes empty would grow without a bound.
            backlog.removeSubrange(..<next)
            next = 0
            backlog.append(contentsOf: messages)
        }
        for case .finish(let action) in messages { finished.append(action) }
        // While it is held the timer tries again, not every message; the end is worth one more try.
        if !wasHeld || !finished.isEmpty { work() }
        if finished.isEmpty { restIfBusy() } else { end() }
    }

    /// Only messages wait for this thread, and they may wait a moment.
    private func restIfBusy() {
        let now = EventLoop.nanoseconds
        if Monotonic.elapsed(from: lastBusy, to: now) < busyInterval { usleep(rest) }
        lastBusy = now
    }

    /// Writes until nothing is left or the output takes nothing.
    private func work() {
        while true {
            if !isHeld { fillBatch() }
            if batch.isEmpty {
                let lost = failure == nil ? ledger.takeLost() : 0
                guard lost > 0 else { return }
                tell(.recovered(lost: lost))
            } else if !writeBatch() {
                return
            }
        }
    }

    private func fillBatch() {
        while next < backlog.count, batch.count < batchSize {
            take(backlog[next])
            next += 1
        }
        if next == backlog.count {
            backlog = []
            next = 0
        }
    }

    private func take(_ message: OutputMessage<Item>) {
        switch message {
        case .item(let item, let cost):
            render(item, &batch)
            ends.append(batch.count)
            batchCost += cost
        case .finish: break
        }
    }

    /// Writes the batch; false when it must be tried again later.
    private func writeBatch() -> Bool {
        do {
            try write()
            if failure != nil {
                failure = nil
                tell(.recovered(lost: ledger.takeLost()))
            }
        } catch {
            let mayRecover = Self.mayRecover(error)
            if failure == nil { tell(.failed(error, mayRecover: mayRecover)) }
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
        batch.removeAll(keepingCapacity: batch.capacity <= batchSize / 4)
        ends.removeAll(keepingCapacity: ends.capacity <= batchSize / 64)
        written = 0
        return true
    }

    /// In one call; or, while another process writes there too, in pieces of whole items that the system keeps together.
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

    /// A full disk gets room again. A pipe without a reader does not get one, and a closed descriptor stays closed.
    private static func mayRecover(_ error: Errno) -> Bool {
        ![EPIPE, EBADF, EINVAL].contains(error.code)
    }

    private func tell(_ trouble: OutputTrouble) {
        guard let item = report(trouble) else { return }
        ledger.take(1)
        backlog.insert(.item(item, cost: 1), at: next)
    }

    /// Takes what came while the last batch was written, and ends the thread by closing all that keeps it.
    private func end() {
        let last = mailbox?.close() ?? []
        for case .finish(let action) in last { finished.append(action) }
        backlog.append(contentsOf: last)
        if !isHeld { work() }
        let left = backlog[min(next, backlog.count)...].count { if case .item = $0 { true } else { false } }
        _ = ledger.lose(left + ends.count { $0 > written })
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
