internal import CLibuv
internal import Sockets

/// Calls back after a time, once or repeatedly, on the loop's thread.
public final class Timer: Handle {
    private var action: (() -> Void)?

    /// A timer that is not started yet. The action is kept until `close`. It cannot fail: uv_timer_init only fills in
    /// the handle's memory.
    public init(loop: EventLoop, action: @escaping () -> Void) {
        self.action = action
        super.init(
            UV_TIMER, loop: loop,
            prepare: { memory in
                uv_timer_init(loop.raw, memory.assumingMemoryBound(to: uv_timer_t.self))
            })
    }

    /// Starts or restarts. Milliseconds from this call; `every` 0 means once. A closed timer does nothing.
    public func start(after milliseconds: UInt64, every period: UInt64 = 0) {
        guard !isClosed else { return }
        // libuv counts from its clock at the start of the turn. Its clock is not moved here: in a turn of the timers that
        // could make a short period due again without end.
        let passed = Monotonic.elapsed(from: uv_now(loop.raw), to: EventLoop.nanoseconds / 1_000_000)
        let (timeout, isOverflow) = milliseconds.addingReportingOverflow(passed)
        // It fails for a closed handle and for a missing callback only.
        uv_timer_start(
            memory.assumingMemoryBound(to: uv_timer_t.self),
            { timer in
                guard let data = timer?.pointee.data else { return }
                Unmanaged<Timer>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.action?() }
            }, isOverflow ? .max : timeout, period)
    }

    /// Stops; it can be started again.
    public func stop() {
        uv_timer_stop(memory.assumingMemoryBound(to: uv_timer_t.self))
    }

    override func willClose() {
        action = nil
    }
}
