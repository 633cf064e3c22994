import Foundation
import TestSupport
import Testing

/// `FAULTS.md`: 200 reloads in a minute under churn.
struct ReloadRateFaultTests {
    private struct Report: Decodable {
        var troubles: [String]
        var short: Int
        var connections: Int
    }

    /// Each reload changes the relay that all clients use, and every second one adds or removes another relay. The next
    /// one is requested without waiting for the previous one, 3.3 per second.
    @Test(.ofMakeFaults, .needs("python3")) func twoHundredReloadsInAMinute_refuseNoClientAndBreakNothing() async throws
    {
        try await reloadScene(.heavy) { bench in
            let crowd = try bench.scene.start(Scene.peer("storm.py"))
            let upstream = try await bench.scene.listening(crowd)
            let text = { (number: Int) in
                let guest =
                    number / 2 % 2 == 0 ? "" : "  - { name: guest, listen: '\(bench.second)', upstream: 'a:1' }\n"
                return """
                    log: { format: json }
                    relays:
                      - { name: web, listen: '\(bench.first)', upstream: '\(upstream)', max_connections: \(1000 + number) }
                    \(guest)
                    """
            }
            try Files.write(text(0), to: bench.path)
            let tapline = try await bench.run()
            let footing = try await tapline.steadyFooting(in: bench.scene)
            crowd.write("\(bench.first) 16\n")
            let clock = ContinuousClock()
            let (start, count) = (clock.now, 200)
            for number in 1...count {
                try Files.replace(bench.path, with: text(number))
                try await tapline.program.send(SIGHUP)
                // The rate is the fault itself, and not a wait for an event.
                try await clock.sleep(until: start + .milliseconds(300) * number)
            }
            let elapsed = clock.now - start
            #expect(elapsed < .seconds(75), "200 reloads took \(elapsed)")
            try await tapline.program.errors.line(containing: "→ \(1000 + count)")
            crowd.write("over\n")
            let said = try await crowd.output.line(containing: "\"done\"", within: .seconds(120))
            let report = try JSONDecoder().decode(Report.self, from: Data(said.utf8))
            #expect(report.troubles == [])
            #expect(report.short > 100)
            let applied = tapline.program.errors.all.count { $0.contains("\"message\":\"reloaded: ") }
            // Requests while the process gets no CPU time become one reload: on a busy machine a few seconds' worth.
            #expect(applied > count * 3 / 4, "\(applied) were applied")
            #expect(!tapline.program.errors.all.contains { $0.contains("reload rejected") })
            let records = try await tapline.records(report.connections)
            #expect(records.allSatisfy { $0.reason == "client_closed" && $0.relay == "web" })
            // The last configuration has the listeners of the first one.
            try await tapline.expectFlat(since: footing, in: bench.scene)
            try await tapline.stop()
        }
    }
}
