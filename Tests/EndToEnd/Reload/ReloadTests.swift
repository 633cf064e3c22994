import Foundation
import TestSupport
import Testing

/// The effects of a reload, and what it does not change.
struct ReloadTests {
    @Test(.needs("python3")) func mistakes_areReportedWithTheirPositions_andChangeNothing() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            try await bench.begin(bench.first, "old")
            try Files.replace(bench.path, with: bench.start + "workers: 0\nlgo: {}\n")
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("\"level\":\"error\""))
            #expect(line.contains("\(bench.path):5:10: `workers`: `0` is neither"))
            #expect(line.contains("\(bench.path):6:1: unknown key `lgo`; did you mean `log`?"))
            try await bench.converse(bench.first)
            try await bench.end("old")
            // A later fix works.
            try Files.replace(bench.path, with: bench.added)
            try await bench.reloaded(tapline, 2)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func aPortInUse_isReportedWithItsPosition_andWorksOnceItIsFree() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            _ = try await bench.puppet.listen("rival", bench.second)
            try Files.replace(bench.path, with: bench.added)
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("\(bench.path):5:28: cannot listen on \(bench.second) for relay cache: "))
            try await bench.converse(bench.first)
            try await bench.puppet.close("rival")
            try await tapline.program.send(SIGHUP)
            try await bench.reloaded(tapline, 2)
            try await bench.converse(bench.second)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func aRemovedRelay_listensNoMore_andItsConnectionsDrain() async throws {
        try await reloadScene { bench in
            try Files.write(bench.added, to: bench.path)
            let tapline = try await bench.run(2)
            try await bench.begin(bench.second, "patient")
            try await bench.begin(bench.second, "endless")
            // Long enough for a slow client on a busy machine.
            try Files.replace(bench.path, with: bench.start + "shutdown: { drain: 12s }\n")
            #expect(try await bench.reloaded(tapline, 2).contains("removed relay cache; shutdown.drain 25s → 12s"))
            try await bench.puppet.awaitRefusal(bench.second)
            try await bench.exchange("patient")
            try await bench.end("patient")
            #expect(try await bench.puppet.receiveToEnd("endless").end == "reset")
            #expect(try await bench.puppet.receiveToEnd("endless'").end == "reset")
            try await bench.converse(bench.first)
            let records = try await tapline.stop()
            #expect(records.count { $0.relay == "cache" && $0.reason == "client_closed" } >= 1)
            #expect(records.count { $0.relay == "cache" && $0.reason == "drained" } == 1)
        }
    }

    @Test(.needs("python3")) func aRenamedRelay_keepsItsListenerAndItsConnections() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            try await bench.begin(bench.first, "old")
            try Files.replace(bench.path, with: bench.text([("site", bench.first)]))
            #expect(try await bench.reloaded(tapline, 2).contains("renamed relay web to site"))
            try await bench.converse(bench.first)
            try await bench.exchange("old")
            try await bench.end("old")
            #expect(try await tapline.stop().map(\.relay) == ["web", "site"])
        }
    }

    @Test(.needs("python3")) func anAddress_movesFromOneRelayToAnother() async throws {
        try await reloadScene { bench in
            try Files.write(bench.added, to: bench.path)
            let tapline = try await bench.run(2)
            try await bench.begin(bench.second, "old")
            try Files.replace(
                bench.path, with: bench.text([("web", bench.second), ("cache", bench.first)]))
            #expect(try await bench.reloaded(tapline, 2).contains("moved \(bench.second) from cache to web"))
            try await bench.converse(bench.first)
            try await bench.converse(bench.second)
            try await bench.end("old")
            #expect(try await tapline.stop().map(\.relay) == ["cache", "cache", "web"])
        }
    }

    @Test(.needs("python3")) func workers_needARestart() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            try Files.replace(bench.path, with: bench.start + "workers: 7\n")
            try await tapline.program.errors.line(containing: "nothing reloaded: workers auto → 7 needs a restart")
            try Files.replace(bench.path, with: bench.added + "workers: 7\n")
            let line = try await bench.reloaded(tapline, 2)
            #expect(line.contains("reloaded: added relay cache; workers auto → 7 needs a restart"))
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func aFreePort_isAnnounced() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            let free = bench.text([("web", bench.first), ("free", "127.0.77.3:0")])
            try Files.replace(bench.path, with: free)
            let line = try await tapline.program.errors.line(containing: "free listens on 127.0.77.3:")
            #expect(!line.contains("127.0.77.3:0,"))
            try await bench.reloaded(tapline, 2)
            try await tapline.stop()
        }
    }

    /// Without IPv6 a bare port is 127.0.0.1 only, also for a reload.
    @Test(.needs("python3", "unshare", "ip"), .needsNetworkNamespace) func systemWithoutIPv6_reloadsAllTheSame()
        async throws
    {
        try await reloadScene { bench in
            let network = try await bench.scene.network("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
            try Files.write(bench.text([("web", "8080")]), to: bench.path)
            let tapline = try await bench.run(before: network.before)
            try await tapline.program.errors.line(containing: "no IPv6 on this system")
            try Files.replace(bench.path, with: bench.text([("web", "8080"), ("cache", "127.0.0.1:8081")]))
            try await bench.reloaded(tapline, 2)
            try await tapline.stop()
            #expect(tapline.program.errors.all.count { $0.contains("no IPv6 on this system") } == 1)
        }
    }
}
