internal import CLibuv
internal import Sockets

/// A one-shot or repeating timer, which calls back on the loop's thread.
public final class Timer: Handle {
    private var action: (() -> Void)?

    /// A timer that is not started. The action is kept until `close`. This cannot fail, because uv_timer_init only
    /// fills in the handle's memory.
    public init(loop: EventLoop, action: @escaping () -> Void) {
        self.action = action
        super.init(
            UV_TIMER, loop: loop,
            prepare: { memory in
                uv_timer_init(loop.raw, memory.assumingMemoryBound(to: uv_timer_t.self))
            })
    }

    /// Starts or restarts the timer, in milliseconds from this call; `every` 0 means once. Does nothing after `close`.
    public func start(after milliseconds: UInt64, every period: UInt64 = 0) {
        guard !isClosed else { return }
        // libuv counts from its clock at the start of the turn. Updating that clock here could make a short period due
        // again and again while libuv runs the due timers.
        let passed = Monotonic.elapsed(from: uv_now(loop.raw), to: EventLoop.nanoseconds / 1_000_000)
        let (timeout, isOverflow) = milliseconds.addingReportingOverflow(passed)
        // It fails only for a closed handle or a missing callback.
        uv_timer_start(
            memory.assumingMemoryBound(to: uv_timer_t.self),
            { timer in
                guard let data = timer?.pointee.data else { return }
                Unmanaged<Timer>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.action?() }
            }, isOverflow ? .max : timeout, period)
    }

    /// Stops the timer; it can be started again.
    public func stop() {
        uv_timer_stop(memory.assumingMemoryBound(to: uv_timer_t.self))
    }

    override func willClose() {
        action = nil
    }
}
