internal import NIOCore

/// Runs Swift's tasks on the admin server's thread, so that no other threads are started for them.
///
/// Any thread; the loop lives as long as the process.
final class LoopExecutor: TaskExecutor {
    /// The loop of the thread.
    let loop: any NIOCore.EventLoop

    init(_ loop: any NIOCore.EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    /// Waits on the loop's own clock.
    func pause(_ duration: TimeAmount) async {
        await withCheckedContinuation { continuation in
            loop.scheduleTask(in: duration) { continuation.resume() }
        }
    }
}
