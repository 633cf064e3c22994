import Relay
import Sockets
import Testing
import Text

@testable import Admin

/// Recent end records and events.
struct JournalTests {
    @Test func lastRecords_areKept_theLatestFirst() {
        let journal = Journal()
        journal.closed(record(1, reason: .killed))
        #expect(journal.closedRecords.isEmpty)
        journal.keep(true)
        let most = UInt64(Journal.mostClosed)
        for id in 1...most { journal.closed(record(id, reason: .killed)) }
        #expect(journal.closedRecords.map(\.id) == (1...most).reversed())
        for id in most + 1...most + 5 { journal.closed(record(id, reason: .killed)) }
        #expect(journal.closedRecords.map(\.id) == (6...most + 5).reversed())
        journal.keep(false)
        #expect(journal.closedRecords.isEmpty)
    }

    @Test func events_areKeptOnlyForFollowers_andThoseWithoutRoomAreCounted() {
        let journal = Journal()
        journal.opened(record(1))
        journal.follow(true)
        for id in 1...UInt64(Journal.mostEvents) + 3 { journal.opened(record(id)) }
        journal.follow(true)
        let (events, lost) = journal.takeEvents()
        #expect(events.count == Journal.mostEvents && lost == 3)
        #expect(journal.takeEvents().events.isEmpty && journal.takeEvents().lost == 0)
        journal.follow(false)
        journal.beganDraining()
        #expect(journal.takeEvents().events.isEmpty)
    }
}

/// Events on their way to followers.
struct EventHubTests {
    private func item(_ text: String, _ audience: EventHub.Item.Audience = .all) -> EventHub.Item {
        EventHub.Item(audience: audience, text: Array(text.utf8))
    }

    @Test func everyFollower_getsWhatConcernsIt() async {
        let hub = EventHub()
        let (all, web) = (hub.follow(relay: nil), hub.follow(relay: "web"))
        #expect(hub.subjects == [nil, "web"])
        hub.publish([
            item("a"), item("b", .relay("web")), item("c", .relay("db")), item("d", .followers(of: "web")),
            item("e", .followers(of: nil)),
        ])
        #expect(await hub.next(all) == Array("abce".utf8))
        #expect(await hub.next(web) == Array("abd".utf8))
        hub.leave(web)
        #expect(await hub.next(web) == nil)
        #expect(hub.isFollowed)
        hub.publish([item("last")])
        hub.endAll()
        #expect(await hub.next(all) == Array("last".utf8))
        #expect(await hub.next(all) == nil)
        hub.leave(all)
        #expect(!hub.isFollowed)
    }

    @Test func waitingFollower_isNotifiedAtOnce() async {
        let hub = EventHub()
        let id = hub.follow(relay: nil)
        async let next = hub.next(id)
        hub.publish([item("x")])
        #expect(await next == Array("x".utf8))
    }

    @Test func waitingFollower_thatIsCancelled_isRemoved() async {
        let hub = EventHub()
        let id = hub.follow(relay: nil)
        let waiting = Task { await hub.next(id) }
        waiting.cancel()
        #expect(await waiting.value == nil)
        #expect(!hub.isFollowed)
    }

    @Test func slowFollower_getsTheNumberOfMissedEvents() async throws {
        let hub = EventHub()
        let id = hub.follow(relay: nil)
        let piece = item(String(repeating: "x", count: EventHub.mostWaiting / 4))
        hub.publish([piece, piece, piece, piece, piece, piece])
        let bytes = try #require(await hub.next(id))
        #expect(bytes.count < EventHub.mostWaiting + 64)
        #expect(String(decoding: bytes.suffix(34), as: UTF8.self).hasSuffix("event: lost\ndata: {\"events\":2}\n\n"))
        hub.publish([item("y")], lost: 4)
        let next = try #require(await hub.next(id))
        #expect(String(decoding: next, as: UTF8.self) == "yevent: lost\ndata: {\"events\":4}\n\n")
    }
}

/// Rates between two readings of a counter.
struct RateMeterTests {
    @Test func rate_isThatBetweenTwoReadings() {
        var meter = RateMeter<String>()
        let start = ContinuousClock.now
        #expect(!meter.isReady(at: start))
        meter.add(["a": .init(up: 100, down: 5, accepted: 1)], at: start)
        #expect(!meter.isReady(at: start))
        #expect(meter.rate(of: "a") == .init())
        meter.add(["a": .init(up: 600, down: 5, accepted: 2), "b": .init(up: 50)], at: start + .milliseconds(500))
        #expect(meter.isReady(at: start + .milliseconds(500)))
        #expect(meter.rate(of: "a") == .init(up: 1000, down: 0, accepted: 2))
        #expect(meter.rate(of: "b").up == 100)
        #expect(meter.rate(of: "c") == .init())
    }

    /// It accepts no clients, so nothing can make it good again.
    @Test func removedRelay_doesNotFail() {
        var stats = RelayStats()
        for time in 1...3 as ClosedRange<UInt64> { stats.recentConnects.add(.connectRefused, at: time) }
        #expect(RelayView.connects(of: stats, isConfigured: true, at: 3).isFailing)
        let removed = RelayView.connects(of: stats, isConfigured: false, at: 3)
        #expect(!removed.isFailing && removed.failed == 3 && removed.reason == .connectRefused)
        #expect(RelayView.connects(of: nil, isConfigured: true, at: 3).attempts == 0)
    }

    /// A clock that goes back leaves a nanosecond between two readings, and a counter may wrap around.
    @Test func rates_ofAnySize_areWritten() {
        var meter = RateMeter<String>()
        let start = ContinuousClock.now
        meter.add(["a": .init(up: 0, down: 5)], at: start)
        meter.add(["a": .init(up: 1, down: 5)], at: start + .seconds(1))
        meter.add(["a": .init(up: .max, down: 4)], at: start + .nanoseconds(1))
        let rate = meter.rate(of: "a")
        #expect(rate.up > 1e27 && rate.down == 0)
        var json = JSONText()
        json.object { RelayView.writeCounters("a", RelayStats(), rate, to: &$0) }
        #expect(String(decoding: json.bytes, as: UTF8.self).contains(#""rate_up":18446744073709551615,"rate_down":0"#))

        let connections = RateMeter<UInt64>.Rate(up: 1e30, down: .nan, accepted: .infinity)
        var one = JSONText()
        ConnectionView.write(live(), connections, to: &one)
        #expect(String(decoding: one.bytes, as: UTF8.self).contains(#""rate_up":18446744073709551615,"rate_down":0"#))
    }

    @Test func readingsCloseTogether_doNotReplaceThePointOfComparison() {
        var meter = RateMeter<Int>()
        let start = ContinuousClock.now
        meter.add([1: .init(up: 0)], at: start)
        meter.add([1: .init(up: 1000)], at: start + .seconds(1))
        meter.add([1: .init(up: 2000)], at: start + .milliseconds(1001))
        #expect(meter.rate(of: 1).up > 1990 && meter.rate(of: 1).up < 2000)
    }

    @Test func anOldReading_givesNoCurrentRate() {
        var meter = RateMeter<Int>()
        let start = ContinuousClock.now
        meter.add([1: .init(up: 0)], at: start)
        meter.add([1: .init(up: 1000)], at: start + .seconds(60))
        #expect(!meter.isReady(at: start + .seconds(60)))
        meter.add([1: .init(up: 1300)], at: start + .milliseconds(60_250))
        #expect(meter.isReady(at: start + .milliseconds(60_250)))
        #expect(meter.rate(of: 1).up == 1200)
    }
}

/// The order of connections.
struct ConnectionViewTests {
    @Test(arguments: [
        ("id", [1, 2, 3]), ("-id", [3, 2, 1]), ("bytes_up", [2, 3, 1]), ("-bytes_up", [1, 3, 2]),
        ("client", [3, 1, 2]), ("waits", [1, 2, 3]),
    ])
    func connections_areSorted(_ sort: String, _ ids: [UInt64]) throws {
        let connections = [(UInt64(1), UInt64(0), UInt16(2)), (2, 9, 3), (3, 5, 1)].map { id, bytes, port in
            live(id) { live in
                live.record.bytesUp = bytes
                live.record.client = .ipv4(.loopback, port: port)
            }
        }
        let query = try Query(parsing: "sort=\(sort)", of: .connections)
        #expect(ConnectionView.select(connections, RateMeter(), query).map(\.record.id) == ids)
    }

    @Test func otherRelays_areLeftOut() throws {
        var other = live(2)
        other.record.relay = "other"
        let query = try Query(parsing: "relay=web", of: .connections)
        #expect(ConnectionView.select([live(1), other], RateMeter(), query).map(\.record.id) == [1])
    }
}
