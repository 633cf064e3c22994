import Configuration
import Relay
import Testing
import Text

@testable import Admin

/// Connections of older processes among this one's.
struct PredecessorTests {
    private func connection(_ id: UInt64, time: String? = nil, more: String = "") throws -> JSONValue {
        let end = time.map { #""time":"\#($0)","reason":"killed""# } ?? #""time":null,"reason":null"#
        let text =
            #"{"id":\#(id),"relay":"web",\#(end),"bytes_up":5,"bytes_down":7,"state":"open"\#(more),"process":null}"#
        return try JSONReader.read(Array(text.utf8))
    }

    private func ids(_ list: [ListedConnection]) -> [UInt64?] {
        list.map {
            switch $0 {
            case .own(let live): live.record.id
            case .elsewhere(let connection): connection["id"].count
            }
        }
    }

    @Test(
        arguments: [
            ("id", [2, 7, 1_000_001]), ("-id", [1_000_001, 7, 2]), ("bytes", [7, 1_000_001, 2]),
            ("age", [7, 1_000_001, 2]), ("relay", [2, 7, 1_000_001]),
        ] as [(String, [UInt64?])])
    func list_isInOneOrder(sort: String, order: [UInt64?]) throws {
        let own = [
            live(7),
            live(1_000_001) {
                $0.record.bytesDown = 20; $0.age = 60_000_000_000
            },
        ]
        let other = try connection(2, more: #","age_ms":1000"#)
        let query = try Query(parsing: "sort=\(sort)", of: .connections)
        #expect(ids(ListedConnection.select(own, RateMeter(), elsewhere: [other], query)) == order)
    }

    @Test func otherRelay_isLeftOut() throws {
        let query = try Query(parsing: "relay=db", of: .connections)
        #expect(ListedConnection.select([live(7)], RateMeter(), elsewhere: [try connection(2)], query).isEmpty)
    }

    @Test func endedConnections_areInTheOrderOfTheirEnds_andSinceCountsInIt() throws {
        var ended = EndedElsewhere()
        for (id, time) in [(3, "2025-11-24T16:00:05.000Z"), (2, "2025-11-24T16:00:01.000Z")] as [(UInt64, String)] {
            #expect(ended.add(try connection(id, time: time), of: 9365))
            #expect(!ended.add(try connection(id, time: time), of: 9365))
        }
        #expect(!ended.add(try connection(4), of: 9365))
        let own = [record(9, reason: .killed)]
        func ids(_ query: String?) throws -> [UInt64?] {
            EndedConnection.select(own, elsewhere: ended.latestFirst, try Query(parsing: query, of: .closed)).map {
                switch $0 {
                case .own(let record): record.id
                case .elsewhere(let connection): connection["id"].count
                }
            }
        }
        #expect(try ids(nil) == [3, 9, 2])
        #expect(try ids("since=9") == [3])
        #expect(try ids("reason=idle_timeout") == [])
        #expect(ended.connection(3)?["process"].count == 9365)
        #expect(ended.connection(3)?.endRecord["process"].isNull == true)
        // One that a predecessor has from its own predecessor keeps that one's id.
        #expect(ended.connection(3)?.ofProcess(5)["process"].count == 9365)
    }

    @Test func endedConnections_areBounded() throws {
        var ended = EndedElsewhere()
        for id in 1...UInt64(Journal.mostClosed + 10) {
            _ = ended.add(try connection(id, time: "2025-11-24T16:00:01.000Z"), of: 9365)
        }
        #expect(ended.latestFirst.count == Journal.mostClosed)
        #expect(ended.latestFirst.last?["id"].count == 11)
    }

    @Test func closedEvents_areFound_inPiecesOfAnySize() {
        let stream = Array(
            ": hello\n\nevent: opened\ndata: {}\n\nevent: closed\ndata: {\"id\":1}\n\nevent: closed\ndata: 2\n\n".utf8)
        for size in 1...stream.count {
            var lines = EventLines(longest: 100)
            var found: [String] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                found += lines.add(Array(stream[start..<min(stream.count, start + size)])).map {
                    String(decoding: $0, as: UTF8.self)
                }
            }
            #expect(found == ["{\"id\":1}", "2"])
        }
        var lines = EventLines(longest: 16)
        let long = "event: closed\ndata: \(String(repeating: "x", count: 50))\n\nevent: closed\ndata: 3\n\n"
        #expect(lines.add(Array(long.utf8)) == [Array("3".utf8)])
    }

    @Test func status_namesThem_andWhatTheyDoNotAnswerIsNull() throws {
        let status = ProcessStatus(version: "1", path: nil, directory: "/", configuration: Configuration(relays: []))
        let answer = try JSONReader.read(Array(#"{"version":"0.9","open_connections":7,"ends_within_ms":580000}"#.utf8))
        let bytes = StatusView.status(
            status, openConnections: 0, workers: 1, process: ProcessStats(), failing: [], now: .now,
            predecessors: [
                .init(id: 9365, status: answer, trouble: nil),
                .init(id: 12, status: nil, trouble: "it does not answer"),
            ])
        let text = String(decoding: bytes, as: UTF8.self)
        let first = #"{"pid":9365,"version":"0.9","open_connections":7,"ends_within_ms":580000,"trouble":null}"#
        let second =
            #"{"pid":12,"version":null,"open_connections":null,"ends_within_ms":null,"trouble":"it does not answer"}"#
        #expect(text.hasSuffix(#""ends_within_ms":null,"predecessors":[\#(first),\#(second)]}"#))
    }

    @Test func status_saysWhenItTookOver() throws {
        for isSuccessor in [true, false] {
            let status = ProcessStatus(
                version: "1", path: nil, directory: "/", configuration: Configuration(relays: []),
                isSuccessor: isSuccessor)
            let bytes = StatusView.status(
                status, openConnections: 0, workers: 1, process: ProcessStats(), failing: [], now: .now)
            let upgraded = try JSONReader.read(bytes)["upgraded"]
            #expect(upgraded.isNull == !isSuccessor)
            #expect(!isSuccessor || upgraded.text == "\(status.started)")
        }
    }

    @Test func silentProcesses_areNamed() {
        let access = Predecessor.Access.random(of: 12)
        let silent = [
            Predecessors.State.silent(Predecessor(id: 12, access: access)),
            .silent(Predecessor(id: 9365, access: nil)),
        ]
        let error = AdminError.predecessorSilent(silent)
        #expect(error.status == 503 && error.code == "predecessor_silent")
        #expect(
            error.message
                == "process 12, which still has connections from before the upgrade, does not answer; "
                + "process 9365, which still has connections from before the upgrade, cannot list them")
    }

    /// One that offers no access may have any connection and any relay.
    @Test func lookUp_withoutAnAnswer_isNoDenial() async {
        let predecessors = Predecessors()
        if case .nothing = await predecessors.connection(7) {} else { Issue.record("there is no predecessor") }
        predecessors.add(Predecessor(id: 9365, access: nil))
        for id in [7, 1_000_001] as [UInt64] {
            guard case .unanswered(let silent) = await predecessors.kill(id) else {
                Issue.record("\(id)")
                continue
            }
            #expect(silent.map(\.id) == [9365])
        }
        #expect(await predecessors.connections().unanswered.map(\.id) == [9365])
        if case .unanswered = await predecessors.relay("web") {} else { Issue.record("web") }
        predecessors.remove(9365)
        if case .nothing = await predecessors.relay("web") {} else { Issue.record("it has ended") }
    }

    @Test func relayOfAPredecessor_isNotConfigured_andNamesTheProcess() throws {
        let relay = try JSONReader.read(Array(#"{"name":"old","configured":true,"open":1}"#.utf8))
        #expect(
            relay.ofProcess(12).unconfigured.line == #"{"name":"old","configured":false,"open":1,"process":12}"#)
        var ended = EndedElsewhere()
        _ = ended.add(try connection(3, time: "2025-11-24T16:00:05.000Z"), of: 12)
        #expect(ended.has(relay: "web") && !ended.has(relay: "old"))
    }

    @Test func access_isRandom_andReadAsItIs() {
        let access = Predecessor.Access.random(of: 9365)
        #expect(Predecessor.Access(name: access.name, token: access.token) == access)
        #expect(Predecessor.Access.random(of: 9365) != access)
    }
}
