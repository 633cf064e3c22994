import Foundation
import TestSupport
import Testing

/// Many valid and invalid changes while clients come and go.
struct ReloadStormTests {
    /// The final report of the clients of `Peers/storm.py`.
    private struct Report: Decodable {
        var troubles: [String]
        var short: Int
        var long: Int
        var bytes: Int
        var connections: Int
    }

    /// One configuration of the storm. Each valid one differs from the last by its number, at least.
    private struct Plan {
        let number: Int
        let bench: ReloadBench
        let upstream: String

        /// Every fourth one is invalid, in one way or another.
        var isGood: Bool { number % 4 != 2 }
        /// Text that only the log line about it contains.
        var mark: String { isGood ? "→ \(1000 + number)" : "_\(number)_" }
        /// The one address that stays, under a name that changes sometimes.
        var name: String { number % 40 < 20 ? "web" : "site" }
        var log: String { number % 30 < 15 ? "format: json" : "format: json, access: stderr" }

        /// A relay that comes and goes, each time on another address.
        var guest: String? {
            guard isGood, number % 10 < 5 else { return nil }
            let last = 10 + number / 10 % 200
            return bench.first.replacingOccurrences(of: "127.0.77.1:", with: "127.0.77.\(last):")
        }

        var text: String {
            var text = """
                log: { \(log) }
                shutdown: { drain: 5s }
                relays:
                  - { name: \(name), listen: '\(bench.first)', upstream: '\(upstream)', max_connections: \(1000 + number) }

                """
            if let guest { text += "  - { name: guest, listen: '\(guest)', upstream: '\(bench.upstream)' }\n" }
            guard !isGood else { return text }
            return switch number / 4 % 5 {
            case 0: text + "bogus_\(number)_: 1\n"
            case 1: text + "  - { name: a, listen: 1, upstream: 'b:1', timeouts: { idle: 'no_\(number)_' } }\n"
            case 2: text + "  - { name: 'bad/_\(number)_', listen: 1, upstream: 'b:1' }\n"
            // The puppet listens there.
            case 3: text + "  - { name: busy_\(number)_, listen: '\(bench.upstream)', upstream: 'b:1' }\n"
            default: text + "  - { name: b, listen: 1, upstream: 'nowhere_\(number)_' }\n"
            }
        }
    }

    @Test(.needs("python3"))
    func twoHundredChanges_cutNoConnection_andLeaveTheRightConfiguration() async throws {
        try await reloadScene(.heavy) { bench in
            let crowd = try bench.scene.start(Scene.peer("storm.py"))
            let upstream = try await bench.scene.listening(crowd)
            try Files.write(Plan(number: 0, bench: bench, upstream: upstream).text, to: bench.path)
            let tapline = try await bench.run()
            crowd.write("\(bench.first) 16\n")
            let clock = ContinuousClock()
            var good = 0
            var guest = Plan(number: 0, bench: bench, upstream: upstream).guest
            var guests = 0
            var delays: [Duration] = []
            for number in 1...200 {
                let plan = Plan(number: number, bench: bench, upstream: upstream)
                let change = ReloadBench.Change.allCases[number % ReloadBench.Change.allCases.count]
                let start = clock.now
                try await bench.change(number % 2 == 0 ? .signalled : change, to: plan.text, tapline)
                let line = try await tapline.program.errors.line(containing: plan.mark)
                let delay = clock.now - start
                #expect(line.contains(plan.isGood ? "reloaded: " : "reload rejected, "), "\(number)")
                guard plan.isGood else { continue }
                good += 1
                guard plan.guest != guest else { continue }
                if let gone = guest { try await bench.puppet.awaitRefusal(gone) }
                if let new = plan.guest {
                    try await bench.converse(new)
                    guests += 1
                }
                guest = plan.guest
                delays.append(delay)
            }
            // The same address still answers, and its connections have the last number.
            crowd.write("over\n")
            let said = try await crowd.output.line(containing: "\"done\"", within: .seconds(120))
            let report = try JSONDecoder().decode(Report.self, from: Data(said.utf8))
            #expect(report.troubles == [])
            #expect(report.short > 0 && report.long > 0)
            try Files.write("nothing that could be read", to: bench.path)
            try await tapline.program.errors.line(containing: "generation \(good + 1) stays active")
            try await tapline.stop()
            try check(tapline, report, guests: guests, generation: good + 1)
            // From the change of the file to its log line, without the peers' answers, which take long on a busy
            // machine. The median is the promise; single reloads may be delayed.
            #expect(delays.sorted()[delays.count / 2] < .seconds(1), "\(delays.sorted())")
        }
    }

    /// Every connection has one record, wherever records went at the time, and none was cut.
    private func check(_ tapline: TaplineProcess, _ report: Report, guests: Int, generation: Int) throws {
        let lines = tapline.program.output.all + tapline.program.errors.all
        let records = try lines.filter(EndRecord.isRecord).map(EndRecord.init(json:))
        #expect(Set(records.map(\.id)).count == records.count)
        let own = records.filter { $0.relay == "web" || $0.relay == "site" }
        #expect(own.count == report.connections)
        #expect(own.allSatisfy { $0.reason == "client_closed" })
        #expect(own.reduce(0) { $0 + $1.bytesDown } >= UInt64(report.bytes))
        #expect(own.allSatisfy { (1...generation).contains($0.generation) })
        // Plus the probes that only checked the listener.
        #expect(records.count { $0.relay == "guest" && $0.bytesUp == 40_000 } == guests)
    }
}
