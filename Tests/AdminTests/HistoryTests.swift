import NIOCore
import Testing
import Text

@testable import Admin

/// The rates of the last two minutes.
struct HistoryTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    @Test func rates_areAveragesSinceTheSampleBefore() {
        var history = RateHistory()
        history.add(["web": .init(up: 100, down: 10)], at: at(0))
        #expect(history.times.isEmpty)
        history.add(["web": .init(up: 300, down: 10), "db": .init(up: 0, down: 50)], at: at(2))
        history.add(["web": .init(up: 300, down: 20), "db": .init(up: 7, down: 50)], at: at(3))
        #expect(history.relays["web"] == [.init(up: 100, down: 0), .init(up: 0, down: 10)])
        #expect(history.relays["db"] == [.init(up: 0, down: 25), .init(up: 7, down: 0)])
        #expect(history.total == [.init(up: 100, down: 25), .init(up: 7, down: 10)])
    }

    @Test func counterThatWrappedAround_hasNoRate_andTheLargestOneSaturates() {
        var history = RateHistory()
        history.add(["web": .init(up: .max, down: 0)], at: at(0))
        history.add(["web": .init(up: 5, down: .max)], at: at(0.001))
        #expect(history.relays["web"]?.last?.up == 0)
        let json = HistoryView.history(history, relay: nil, at: at(1))
        #expect(String(decoding: json, as: UTF8.self).contains("\"rate_down\":[\(UInt64.max)]"))
    }

    @Test func samples_areKeptForTwoMinutes() {
        var history = RateHistory()
        for second in 0...1000 { history.add(["web": .init(up: UInt64(second))], at: at(Double(second))) }
        #expect(history.times.first == at(880) && history.times.last == at(1000))
        #expect(history.times.count == RateHistory.mostSamples && history.total.count == history.times.count)
        #expect(history.relays["web"]?.count == history.times.count)
        // Faster samples do not make it longer, and a machine that was suspended leaves only the latest.
        for step in 1...1000 { history.add(["web": .init()], at: at(1000 + Double(step) / 100)) }
        #expect(history.times.count == RateHistory.mostSamples)
        history.add(["web": .init()], at: at(90_000))
        #expect(history.times == [at(90_000)] && history.relays["web"]?.count == 1)
    }

    @Test func relays_comeAndGo_andTheirNumberIsBounded() throws {
        var history = RateHistory()
        history.add(["web": .init()], at: at(0))
        history.add(["web": .init()], at: at(1))
        history.add(["web": .init(), "db": .init(up: 9)], at: at(2))
        #expect(history.relays["db"] == [.init(up: 9, down: 0)] && history.relays["web"]?.count == 2)
        history.add(["db": .init(up: 9)], at: at(3))
        #expect(Array(history.relays.keys) == ["db"])

        let many = Dictionary(uniqueKeysWithValues: (0..<1500).map { ("relay\($0)", RateHistory.Reading(up: 1)) })
        history.add(many, at: at(4))
        history.add(many.mapValues { .init(up: $0.up + 1) }, at: at(5))
        #expect(history.relays.count == RateHistory.mostRelays)
        #expect(history.total.last == .init(up: 1500, down: 0))
    }

    @Test func answer_hasAgesAndTheChosenRelay() throws {
        var history = RateHistory()
        history.add(["web": .init(), "db": .init()], at: at(0))
        history.add(["web": .init(up: 5), "db": .init(down: 8)], at: at(1))
        let json = try JSONReader.read(HistoryView.history(history, relay: "db", at: at(1.25)))
        #expect(json["age_ms"].elements.map(\.count) == [250])
        #expect(json["relays"].elements.map { $0["name"].text } == ["db"])
        #expect(json["relays"].elements.first?["rate_down"].elements.map(\.count) == [8])
        #expect(json["total"]["rate_up"].elements.map(\.count) == [5])
    }

    @Test(arguments: [(0, 1), (200_000, 1), (400_000, 2), (800_000, 4), (Int.max, 4)] as [(Int, Int64)])
    func period_growsWithTheConnections(_ open: Int, _ seconds: Int64) {
        #expect(HistorySampler.period(openConnections: open) == .seconds(seconds))
    }
}
