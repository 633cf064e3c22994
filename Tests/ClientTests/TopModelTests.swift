import Testing
import Text

@testable import Client

/// The model of `tapline top`: keys and snapshots.
struct TopModelTests {
    /// A tapline with these connections (of `web`, or of `db` from 100 on), and two relays.
    static func snapshot(_ ids: [UInt64], recording: Bool = false) throws -> TopSnapshot {
        let status = try JSONReader.read(
            Array(#"{"version":"1","uptime_ms":61000,"generation":2,"draining":false}"#.utf8))
        let relays = try ["web", "db"].map { name in
            try JSONReader.read(
                Array(
                    """
                    {"name":"\(name)","open":1,"rate_accepted":1.5,"rate_up":2048,"rate_down":0,"bytes_up":1,"bytes_down":1,
                    "ended":{"killed":2,"client_closed":5},"recording":{"recording":\(recording)},"configured":true}
                    """.utf8))
        }
        let connections = try ids.map { id in
            try JSONReader.read(
                Array(
                    """
                    {"id":\(id),"relay":"\(id < 100 ? "web" : "db")","client":"10.0.0.\(id % 100):5000","upstream":"up:1",
                    "state":"open","age_ms":1000,"bytes_up":1,"bytes_down":2,"rate_up":0,"rate_down":0,"waits":null}
                    """.utf8))
        }
        return TopSnapshot(
            status: status, relays: relays.map(TopSnapshot.Relay.init),
            connections: connections.map(TopSnapshot.Connection.init), total: UInt64(ids.count))
    }

    private func model(_ ids: [UInt64], recording: Bool = false) throws -> TopModel {
        var model = TopModel()
        model.adopt(try Self.snapshot(ids, recording: recording))
        return model
    }

    private func history(_ text: String) throws -> TopHistory {
        TopHistory(try JSONReader.read(Array(text.utf8)), seconds: 6)
    }

    @Test func history_isOneValueASecond() throws {
        // Nothing is known of more than 4.5 s ago, and the sample that was taken 1.5 s ago is of the 3 s before that.
        let sparse = try history(
            #"{"age_ms":[4500,1500,400],"total":{"rate_up":[1,2,3],"rate_down":[10,20,30]},"relays":[]}"#)
        #expect(sparse.up == [1, 2, 2, 2, 3] && sparse.down == [10, 20, 20, 20, 30])
        let dense = try history(#"{"age_ms":[2900,1900,900],"total":{"rate_up":[1,2,3],"rate_down":[0,0,0]}}"#)
        #expect(dense.up == [1, 2, 3])
        #expect(try history("{}").up == [] && history(#"{"age_ms":[5],"total":{"rate_up":[]}}"#).up == [])
    }

    /// Whichever answer is first.
    @Test func graphs_beginWithTheHistory() throws {
        let past = try history(#"{"age_ms":[1900,900],"total":{"rate_up":[7,8],"rate_down":[0,9]}}"#)
        var model = try model([1])
        #expect(model.upHistory == [4096])
        model.adopt(past)
        #expect(model.upHistory == [7, 8, 4096] && model.downHistory == [0, 9, 0])
        var other = TopModel()
        other.adopt(past)
        other.adopt(try Self.snapshot([1]))
        #expect(other.upHistory == [7, 8, 4096])
        for _ in 0..<TopModel.memory { other.adopt(try Self.snapshot([1])) }
        #expect(other.upHistory.count == TopModel.memory && other.upHistory[0] == 4096)
    }

    @Test func cursor_beginsAtTheFirstConnection() throws {
        #expect(try model([5, 6]).selection == .connection(5))
        #expect(try model([]).selection == .relay("web"))
    }

    @Test func cursor_movesThroughRelaysAndConnections() throws {
        var model = try model([5, 6])
        var rowsInOrder: [TopModel.Row?] = []
        for key in [TopKey.up, .up, .up, .down, .character("j"), .end, .down, .home] {
            #expect(model.handle(key).isEmpty)
            rowsInOrder.append(model.selection)
        }
        #expect(
            rowsInOrder == [
                .relay("db"), .relay("web"), .relay("web"), .relay("db"), .connection(5), .connection(6),
                .connection(6),
                .relay("web"),
            ])
    }

    @Test func cursor_staysOnItsConnection_whenOthersCome() throws {
        var model = try model([5, 6])
        _ = model.handle(.down)
        model.adopt(try Self.snapshot([9, 8, 6, 7]))
        #expect(model.selection == .connection(6))
    }

    @Test func cursor_staysWhereItIs_whenItsConnectionIsGone() throws {
        var model = try model([5, 6, 7])
        _ = model.handle(.down)
        model.adopt(try Self.snapshot([5, 7]))
        #expect(model.selection == .connection(7))
        model.adopt(try Self.snapshot([5]))
        #expect(model.selection == .connection(5))
    }

    @Test func relayWhoseConnectsFail_comesFirst() throws {
        var snapshot = try Self.snapshot([5])
        snapshot.relays[1].isFailing = true
        var model = TopModel()
        model.adopt(snapshot)
        #expect(model.shownRelays.map(\.name) == ["db", "web"])
        #expect(model.rowsInOrder == [.relay("db"), .relay("web"), .connection(5)])
    }

    @Test func letters_moveAsOnThePage() throws {
        var model = try model([5, 6])
        _ = model.handle(.character("j"))
        #expect(model.selection == .connection(6))
        _ = model.handle(.character("k"))
        #expect(model.selection == .connection(5) && model.mode == .table)
    }

    @Test func kill_asksFirst() throws {
        var model = try model([5])
        #expect(model.handle(.character("x")).isEmpty)
        #expect(model.mode == .confirmingKill(5))
        #expect(model.handle(.character("y")) == [.kill(5)])
        #expect(model.mode == .table)
    }

    @Test(arguments: [TopKey.character("n"), .enter, .escape, .character("x")])
    func kill_withoutAYes_doesNothing(key: TopKey) throws {
        var model = try model([5])
        _ = model.handle(.character("x"))
        #expect(model.handle(key).isEmpty)
        #expect(model.mode == .table)
    }

    @Test func kill_ofTheOneAskedAbout_evenWhenTheListHasMoved() throws {
        var model = try model([5, 6])
        _ = model.handle(.character("x"))
        model.adopt(try Self.snapshot([6]))
        #expect(model.handle(.character("y")) == [.kill(5)])
    }

    @Test func kill_onARelay_saysWhatToDo() throws {
        var model = try model([])
        #expect(model.handle(.character("x")).isEmpty)
        #expect(model.mode == .table && model.message != nil)
    }

    @Test func record_turnsTheRelayOfTheConnectionOnAndOff() throws {
        var off = try model([100])
        #expect(off.handle(.character("r")) == [.record(relay: "db", true)])
        var on = try model([100], recording: true)
        #expect(on.handle(.character("r")) == [.record(relay: "db", false)])
    }

    @Test func filter_isWrittenKeptAndDropped() throws {
        var model = try model([5, 6, 100])
        for key in [TopKey.character("/"), .character("D"), .character("b"), .character("x"), .backspace] {
            #expect(model.handle(key).isEmpty)
        }
        #expect(model.filter == "Db" && model.shownConnections.map(\.id) == [100])
        _ = model.handle(.enter)
        #expect(
            model.mode == .table && model.rowsInOrder.contains(.connection(100))
                && !model.rowsInOrder.contains(.connection(5)))
        _ = model.handle(.character("/"))
        _ = model.handle(.character("q"))
        #expect(model.shownConnections.isEmpty)
        _ = model.handle(.escape)
        #expect(model.filter == "Db")
        _ = model.handle(.escape)
        #expect(model.filter.isEmpty && model.shownConnections.count == 3)
    }

    @Test func enter_onARelay_showsOnlyItsConnections() throws {
        var model = try model([5, 100])
        _ = model.handle(.home)
        _ = model.handle(.enter)
        #expect(model.shownConnections.map(\.id) == [5])
        _ = model.handle(.enter)
        #expect(model.shownConnections.count == 2)
    }

    @Test func enter_showsAStory_andEscapeLeavesIt() throws {
        var model = try model([5])
        #expect(model.handle(.enter) == [.fetchStory(5)])
        model.adopt(story: .string("of another"), of: 6)
        #expect(model.story == nil)
        model.adopt(story: .string("it"), of: 5)
        #expect(model.story == .string("it"))
        #expect(model.tick() == [.refresh, .fetchStory(5)])
        _ = model.handle(.down)
        #expect(model.mode == .story(5, top: 1))
        model.limitStory(to: 1)
        #expect(model.mode == .story(5, top: 0))
        #expect(model.handle(.character("q")).isEmpty)
        #expect(model.mode == .table && model.story == nil)
    }

    @Test func pause_holdsEverything() throws {
        var model = try model([5])
        #expect(model.handle(.character("p")).isEmpty)
        model.adopt(try Self.snapshot([6]))
        #expect(model.isPaused && model.snapshot?.connections.map(\.id) == [5] && model.tick().isEmpty)
        #expect(model.handle(.character("p")) == [.refresh])
        model.adopt(try Self.snapshot([6]))
        #expect(model.snapshot?.connections.map(\.id) == [6])
    }

    @Test func sort_goesThroughAllAndAsksAgain() throws {
        var model = try model([5])
        var seen: [TopSort] = []
        for _ in TopSort.allCases {
            #expect(model.handle(.character("s")) == [.refresh])
            seen.append(model.sort)
        }
        #expect(Set(seen) == Set(TopSort.allCases) && model.sort == .rate)
        #expect(TopSort.allCases.allSatisfy { ConnectionSort.keys.contains($0.rawValue) })
    }

    @Test(arguments: [TopKey.character("q"), .interrupt]) func quit_ends(key: TopKey) throws {
        var model = try model([5])
        #expect(model.handle(key) == [.quit])
    }

    @Test func interrupt_endsFromEverywhere() throws {
        for keys in [[TopKey.character("/")], [.enter], [.character("x")], [.character("?")]] {
            var model = try model([5])
            for key in keys { _ = model.handle(key) }
            #expect(model.handle(.interrupt) == [.quit])
        }
    }

    @Test func history_isBounded() throws {
        var model = TopModel()
        for _ in 0..<200 { model.adopt(try Self.snapshot([])) }
        #expect(model.upHistory.count == TopModel.memory && model.upHistory.last == 4096)
    }

    @Test func trouble_isForgottenWhenItIsOver() throws {
        var model = try model([5])
        model.setMessage("no answer", isTrouble: true)
        #expect(model.message?.text == "no answer")
        model.adopt(try Self.snapshot([5]))
        #expect(model.message == nil)
    }
}
