internal import CLibuv

/// A libuv handle: pinned memory that libuv points into, and the object that its callbacks call.
///
/// From `init` until the close callback, the handle's memory holds a retained reference to this object, so the object
/// lives as long as libuv may call it; only the close callback frees both. Confined to its loop's thread. The owner
/// closes it; an unclosed handle is listed in `EventLoop.openHandles`.
open class Handle {
    /// The pinned `uv_*_t`, owned by this object until the close callback.
    let memory: UnsafeMutableRawPointer
    unowned let loop: EventLoop

    /// Allocates memory for a handle of the given kind. `start` initialises it; if that fails, the memory is freed.
    init(
        _ type: uv_handle_type, loop: EventLoop, start: (UnsafeMutableRawPointer) -> CInt
    ) throws(UVError) {
        loop.assertOnThread()
        self.loop = loop
        memory = .allocate(byteCount: uv_handle_size(type), alignment: 16)
        let result = start(memory)
        guard result == 0 else {
            memory.deallocate()
            throw UVError(code: result)
        }
        attach()
    }

    /// Allocates memory for a handle whose initialisation cannot fail.
    init(_ type: uv_handle_type, loop: EventLoop, prepare: (UnsafeMutableRawPointer) -> Void) {
        loop.assertOnThread()
        self.loop = loop
        memory = .allocate(byteCount: uv_handle_size(type), alignment: 16)
        prepare(memory)
        attach()
    }

    private func attach() {
        uvHandle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        loop.opened(self)
    }

    /// The handle as libuv's base type.
    var uvHandle: UnsafeMutablePointer<uv_handle_t> { memory.assumingMemoryBound(to: uv_handle_t.self) }

    /// Whether `close` was called.
    public private(set) final var isClosed = false

    /// Stops the handle: no callback runs after this returns. The memory is freed at the end of the loop's turn. A
    /// second call does nothing.
    public final func close() {
        guard !isClosed else { return }
        isClosed = true
        willClose()
        uv_close(uvHandle) { handle in
            guard let handle, let data = handle.pointee.data else { return }
            // This may release the last reference, and with it the handle's owner, so the memory is freed first.
            let object = Unmanaged<Handle>.fromOpaque(data)
            object._withUnsafeGuaranteedRef {
                $0.loop.closed($0)
                $0.memory.deallocate()
            }
            object.release()
        }
    }

    /// Called once, before `uv_close`; for work under a lock, or to release a closure.
    func willClose() {}
}
