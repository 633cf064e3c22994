internal import CLibuv
internal import CLinux
internal import Glibc

/// A thread with a loop of its own.
///
/// The loop and everything on it are made, used and closed on that thread; only what `setUp` returns leaves it, and
/// that is `Sendable`. The thread ends when no handle is open any more; `join` waits for that.
public final class LoopThread: Sendable {
    private let thread: uv_thread_t

    /// 512 KiB are plenty for callbacks that never recurse, and are only reserved, not used.
    private static let stackSize = 512 * 1024

    private init(thread: uv_thread_t) {
        self.thread = thread
    }

    /// Starts a thread, runs `setUp` on it with its new loop, and returns what that made. When `setUp` throws, every
    /// handle that it made is closed, the thread has ended, and the error is rethrown here.
    ///
    /// `setUp` is the one thing that crosses: nothing else keeps it (it is `sending`), and `pthread_create` orders what
    /// was written before it.
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

    /// Waits until the thread has ended. Once, from any other thread.
    public func join() {
        var thread = thread
        let result = uv_thread_join(&thread)
        precondition(result == 0, "LoopThread: join: \(UVError(code: result))")
    }

    /// Leaves the thread to its own end, which nothing waits for and which returns its memory. Once, instead of `join`.
    public func detach() {
        let result = pthread_detach(thread)
        // It fails only for a thread that was joined or detached before (pthread_detach(3)): a defect of the caller.
        precondition(result == 0, "LoopThread: detach: error \(result)")
    }
}

/// What the new thread is given; not generic, because a C callback cannot be.
private class Launch {
    func runThread() {}
}

/// Written by the new thread before `started` is posted, read by the starter after it waited for that, and touched by
/// neither otherwise.
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
        // The kernel keeps 15 bytes of a thread's name; a refusal costs nothing but the name.
        _ = tapline_set_thread_name(String(name.prefix(15)))
        // Signals are for the thread that watches them, not for a loop in the middle of its work.
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

/// A counting semaphore of the system.
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
