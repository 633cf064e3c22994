import Configuration
import EventLoop
import Glibc
import Logging
import Relay
import Sockets
import TestSupport
import Testing

@testable import Daemon

/// The keep-alive is sent while every loop iterates, and not while one hangs.
struct WatchdogTests {
    @Test(
        arguments: [
            (["WATCHDOG_USEC": "30000000"], 15_000), (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"], 15_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"], nil), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "soon"], nil), (["WATCHDOG_PID": "42"], nil), ([:], nil), (["WATCHDOG_USEC": "1"], 1),
        ] as [([String: String], UInt64?)])
    func period_isHalfOfWhatTheManagerWaits(environment: [String: String], period: UInt64?) {
        #expect(Watchdog.period(in: environment, process: 42) == period)
    }

    /// The monotonic clock of a migrated virtual machine may go back while an answer is pending.
    @Test func clockThatGoesBack_isNoSilence() async throws {
        try await LoopHarness.run { harness in
            let second: UInt64 = 1_000_000_000
            let log = LogCapture()
            var moments = [100 * second, 40 * second, 101 * second, 116 * second]
            var asked = 0
            let watchdog = try Watchdog(
                loop: harness.loop, period: 15_000, logger: log.logger, ask: { asked += 1 }, alive: {},
                ticks: { moments.removeFirst() })
            watchdog.check()
            watchdog.check()
            watchdog.check()
            #expect(asked == 1 && log.all.isEmpty)
            watchdog.check()
            #expect(log.all.contains { $0.contains("has not responded for 16000 ms") })
            watchdog.close()
        }
    }

    private enum Event: Sendable { case pulsed }

    /// A worker blocks in its observer's callback, as it would with a defect. The others continue.
    @Test func workerThatHangs_keepsItSilent_untilItTurnsAgain() async throws {
        try await Exclusive.run {
            let hang = Monitor(true)
            let hanging = Monitor(false)
            let observer = Observer(
                ended: { _ in
                    hanging.withLock { $0 = true }
                    _ = try? hang.wait(for: "the test to be done", within: .seconds(120)) { $0 ? nil : true }
                }, stopped: {})
            let upstream = try PeerListener()
            let relay = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(upstream.address))
            let log = LogCapture()
            let service = try RelayService.start(
                Configuration(workers: .exactly(2), relays: [relay]), observer: observer, logger: log.logger)
            let fed = Monitor(0)
            let (thread, mailbox) = try LoopThread.start(name: "watchdog") { [logger = log.logger] loop in
                let bench = WatchdogBench()
                let mailbox = try Mailbox<Bool>(loop: loop) { answers in
                    for isAnswer in answers { isAnswer ? bench.watchdog?.answered() : bench.end() }
                }
                bench.mailbox = mailbox
                bench.watchdog = try Watchdog(
                    loop: loop, period: 20, logger: logger,
                    ask: {
                        Task {
                            await service.pulse()
                            mailbox.post(true)
                        }
                    }, alive: { fed.withLock { $0 += 1 } })
                return mailbox
            }
            _ = try fed.wait(for: "it is fed while all loops turn") { $0 >= 3 ? true : nil }

            let client = try Peer.connect(to: service.listeners[0].address)
            try upstream.accept().close()
            client.close()
            _ = try hanging.wait(for: "a worker hangs") { $0 ? true : nil }
            try Deadline.poll("it complains") { log.all.contains { $0.contains("a worker has not responded for") } }
            // It may have reported a machine that stopped all of them, and an answer may still be pending.
            var silent = 0
            try Deadline.poll("it is silent") {
                silent = fed.withLock { $0 }
                Deadline.letPass(.milliseconds(200))
                return fed.withLock { $0 } == silent
            }
            // Ten periods: a keep-alive by the timer alone would show.
            Deadline.letPass(.milliseconds(200))
            #expect(fed.withLock { $0 } == silent)

            hang.withLock { $0 = false }
            _ = try fed.wait(for: "it is fed again") { $0 >= silent + 3 ? true : nil }
            mailbox.post(false)
            thread.join()
            service.stop()
            service.join()
            upstream.close()
        }
    }
}

/// The watchdog and its loop. That loop's thread only.
private final class WatchdogBench {
    var watchdog: Watchdog?
    var mailbox: Mailbox<Bool>?

    func end() {
        watchdog?.close()
        mailbox?.close()
        watchdog = nil
        mailbox = nil
    }
}
