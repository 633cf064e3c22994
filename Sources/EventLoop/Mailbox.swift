internal import CLibuv
internal import Synchronization

/// A queue of messages from any thread to a loop: a lock and `uv_async_send`.
///
/// Created and closed on the loop's thread; any thread posts. An open mailbox keeps the loop running.
public final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var queue: [Message] = []
        /// Nil after `close`, so that no thread wakes a closing handle.
        var wake: Wake?
    }

    /// The async handle for other threads. `@unchecked Sendable`, because `uv_async_send` is safe from any thread while
    /// the handle is not closing, which the lock around `State` ensures.
    private struct Wake: @unchecked Sendable {
        let handle: UnsafeMutablePointer<uv_async_t>
    }

    /// The handle itself. `@unchecked Sendable`, because only `close` touches it, on the loop's thread.
    private struct Confined: @unchecked Sendable {
        let handle: AsyncHandle
    }

    private let state = Mutex(State())
    private let confined: Confined

    /// Opens a mailbox. On the loop's thread, the handler gets every message posted since its last call, in order. It
    /// is kept until `close`.
    public init(loop: EventLoop, handler: @escaping ([Message]) -> Void) throws(UVError) {
        let handle = try AsyncHandle(loop: loop)
        confined = Confined(handle: handle)
        let wake = Wake(handle: handle.async)
        state.withLock { $0.wake = wake }
        handle.action = { [unowned self] in
            // Wake-ups coalesce, so each one takes the whole queue.
            let batch = state.withLock { state in
                var batch: [Message] = []
                swap(&batch, &state.queue)
                return batch
            }
            if !batch.isEmpty { handler(batch) }
        }
    }

    deinit {
        state.withLock { precondition($0.wake == nil, "Mailbox: close() was never called") }
    }

    /// Adds a message and wakes the loop. Any thread. False if the mailbox is closed; then the message is discarded.
    @discardableResult
    public func post(_ message: Message) -> Bool {
        state.withLock { state in
            guard let wake = state.wake else { return false }
            state.queue.append(message)
            // One wake-up serves all queued messages.
            if state.queue.count == 1 { uv_async_send(wake.handle) }
            return true
        }
    }

    /// Closes the mailbox, on the loop's thread. Returns the messages that were not handled.
    @discardableResult
    public func close() -> [Message] {
        let rest = state.withLock { state in
            state.wake = nil
            var rest: [Message] = []
            swap(&rest, &state.queue)
            return rest
        }
        confined.handle.close()
        return rest
    }
}

/// The async handle of a mailbox.
private final class AsyncHandle: Handle {
    var action: (() -> Void)?

    init(loop: EventLoop) throws(UVError) {
        try super.init(UV_ASYNC, loop: loop) { memory in
            uv_async_init(loop.raw, memory.assumingMemoryBound(to: uv_async_t.self)) { async in
                guard let data = async?.pointee.data else { return }
                Unmanaged<AsyncHandle>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.action?() }
            }
        }
    }

    var async: UnsafeMutablePointer<uv_async_t> { memory.assumingMemoryBound(to: uv_async_t.self) }

    override func willClose() {
        action = nil
    }
}
