internal import CLibuv
internal import CLinux
internal import Glibc

/// A thread that runs an event loop.
///
/// The loop and everything on it are created, used and closed on that thread; only the result of `setUp` leaves it, and
/// that is `Sendable`. The thread ends when no handle is open; `join` waits for that.
public final class LoopThread: Sendable {
    private let thread: uv_thread_t

    /// 512 KiB suffice for callbacks that never recurse; untouched pages cost only address space.
    private static let stackSize = 512 * 1024

    private init(thread: uv_thread_t) {
        self.thread = thread
    }

    /// Starts a thread, runs `setUp` on it with its new loop, and returns the result. If `setUp` throws, every handle
    /// that it created is closed, the thread has ended, and the error is rethrown here.
    ///
    /// Only `setUp` crosses threads: it is `sending`, so nothing else refers to it, and `pthread_create` orders the
    /// writes before it.
    public static func start<Ready: Sendable>(
        name: String, setUp: sending @escaping (EventLoop) throws -> Ready
    ) throws -> (thread: LoopThread, ready: Ready) {
        let handover = Handover<Ready>(name: name, setUp: setUp)
        var thread = uv_thread_t()
        var options = uv_thread_options_t()
        options.flags = UInt32(UV_THREAD_HAS_STACK_SIZE.rawValue)
        options.stack_size = stackSize
        let argument = Unmanaged.passRetained(handover as Launch)
        let result = uv_thread_create_ex(
            &thread, &options,
            { argument in
                guard let argument else { return }
                Unmanaged<Launch>.fromOpaque(argument).takeRetainedValue().runThread()
            }, argument.toOpaque())
        guard result == 0 else {
            argument.release()
            throw UVError(code: result)
        }
        handover.started.wait()
        let owner = LoopThread(thread: thread)
        switch handover.outcome {
        case .success(let ready):
            return (owner, ready)
        case .failure(let error):
            owner.join()
            throw error
        case nil:
            preconditionFailure("LoopThread: the thread reported nothing")
        }
    }

    /// Waits until the thread has ended. To be called once, from another thread.
    public func join() {
        var thread = thread
        let result = uv_thread_join(&thread)
        precondition(result == 0, "LoopThread: join: \(UVError(code: result))")
    }

    /// Lets the thread free its memory when it ends. To be called once, instead of `join`.
    public func detach() {
        let result = pthread_detach(thread)
        // It fails only for a thread that was joined or detached before (pthread_detach(3)): a defect of the caller.
        precondition(result == 0, "LoopThread: detach: error \(result)")
    }
}

/// The argument of the new thread; not generic, because a C callback cannot be.
private class Launch {
    func runThread() {}
}

/// The new thread writes the outcome before it posts `started`; the starter reads it after waiting for that.
private final class Handover<Ready: Sendable>: Launch {
    let started = Semaphore()
    private(set) var outcome: Result<Ready, any Error>?
    private let name: String
    private var setUp: ((EventLoop) throws -> Ready)?

    init(name: String, setUp: @escaping (EventLoop) throws -> Ready) {
        self.name = name
        self.setUp = setUp
    }

    override func runThread() {
        // The kernel keeps 15 bytes of a thread's name; failure is harmless.
        _ = tapline_set_thread_name(String(name.prefix(15)))
        // Only the thread that watches signals receives them.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        let loop: EventLoop
        do {
            loop = try EventLoop()
        } catch {
            report(.failure(error))
            return
        }
        do {
            let ready = try setUp?(loop)
            setUp = nil
            report(ready.map { .success($0) })
        } catch {
            setUp = nil
            loop.closeHandles()
            loop.close()
            report(.failure(error))
            return
        }
        loop.run()
        loop.close()
    }

    private func report(_ outcome: Result<Ready, any Error>?) {
        self.outcome = outcome
        started.post()
    }
}

/// A counting semaphore.
private final class Semaphore {
    private let memory = UnsafeMutablePointer<uv_sem_t>.allocate(capacity: 1)

    init() {
        let result = uv_sem_init(memory, 0)
        precondition(result == 0, "Semaphore: \(UVError(code: result))")
    }

    deinit {
        uv_sem_destroy(memory)
        memory.deallocate()
    }

    func post() {
        uv_sem_post(memory)
    }

    func wait() {
        uv_sem_wait(memory)
    }
}
