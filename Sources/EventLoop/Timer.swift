internal import CLibuv

/// Calls back after a while, once or again and again, on the loop's thread.
public final class Timer: Handle {
    private var action: (() -> Void)?

    /// A timer that is not started yet. The action is kept until `close`.
    public init(loop: EventLoop, action: @escaping () -> Void) throws(UVError) {
        self.action = action
        try super.init(UV_TIMER, loop: loop) { uv_timer_init(loop.raw, $0.assumingMemoryBound(to: uv_timer_t.self)) }
    }

    /// Starts, or starts anew. Milliseconds; `every` 0 means once. It counts from the loop's clock, so a long callback
    /// before this call makes it early by as much.
    public func start(after milliseconds: UInt64, every period: UInt64 = 0) {
        let result = uv_timer_start(
            memory.assumingMemoryBound(to: uv_timer_t.self),
            { timer in
                guard let data = timer?.pointee.data else { return }
                Unmanaged<Timer>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.action?() }
            }, milliseconds, period)
        precondition(result == 0, "Timer: started after close")
    }

    /// Stops; it can be started again.
    public func stop() {
        uv_timer_stop(memory.assumingMemoryBound(to: uv_timer_t.self))
    }

    override func willClose() {
        action = nil
    }
}
