internal import CLibuv

/// Calls back on the loop's thread when the process receives a signal.
public final class SignalWatch: Handle {
    private var action: (() -> Void)?

    /// Starts watching a signal, which replaces its previous disposition.
    public init(loop: EventLoop, signal: CInt, action: @escaping () -> Void) throws(UVError) {
        self.action = action
        try super.init(UV_SIGNAL, loop: loop) { uv_signal_init(loop.raw, $0.assumingMemoryBound(to: uv_signal_t.self)) }
        let result = uv_signal_start(
            memory.assumingMemoryBound(to: uv_signal_t.self),
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                Unmanaged<SignalWatch>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.action?() }
            }, signal)
        guard result == 0 else {
            close()
            throw UVError(code: result)
        }
    }

    override func willClose() {
        action = nil
    }
}
