import Terminal
import Testing
import Text

@testable import Client

/// The screen of `tapline top`.
struct TopViewTests {
    private func view(_ columns: Int, _ rows: Int, unicode: Bool = true, color: Bool = false) -> TopView {
        TopView(
            columns: columns, rows: rows, terminal: TerminalTraits(showsColor: color, showsUnicode: unicode),
            address: "127.0.0.1:9180")
    }

    private func model(_ ids: [UInt64], keys: [TopKey] = []) throws -> TopModel {
        var model = TopModel()
        model.adopt(try TopModelTests.snapshot(ids))
        for key in keys { _ = model.handle(key) }
        return model
    }

    @Test(
        arguments: [(80, 24), (60, 20), (120, 40), (20, 6), (300, 100)],
        [[], [TopKey.enter], [.character("?")], [.character("/")], [.character("x")], [.end]])
    func screen_isFilledAndNeverOverfull(size: (Int, Int), keys: [TopKey]) throws {
        let view = view(size.0, size.1)
        let lines = view.lines(try model(Array(1...200), keys: keys))
        #expect(lines.count == size.1)
        let plain = lines.map { $0.rendered(columns: size.0, TerminalTraits(showsColor: false, showsUnicode: true)) }
        let bare = plain.map { $0.replacing(/\u{1B}\[[0-9;]*m/, with: "") }
        #expect(bare.allSatisfy { $0.count <= size.0 })
    }

    @Test(arguments: [80, 120]) func relayWhoseConnectsFail_isRedWithItsShare(columns: Int) throws {
        var snapshot = try TopModelTests.snapshot([5])
        snapshot.relays[1].isFailing = true
        snapshot.relays[1].failedConnects = "269/269 refused"
        var model = TopModel()
        model.adopt(snapshot)
        let lines = view(columns, 24, color: true).lines(model)
        #expect(lines[0].text.hasSuffix(" 1 relay failing "))
        let row = try #require(lines.first { $0.text.hasPrefix(" db") })
        #expect(row.text.contains("269/269 refused") && row.pieces.first?.style == .trouble)
    }

    @Test func title_afterAnUpgrade_saysSinceWhenItCounts() throws {
        var snapshot = try TopModelTests.snapshot([5])
        var model = TopModel()
        model.adopt(snapshot)
        #expect(view(120, 24).lines(model)[0].text.contains(", up "))
        snapshot.status = .object([
            .init(key: "upgraded", value: .string("2026-11-23T00:26:07.925Z")),
            .init(key: "uptime_ms", value: .number("61000")),
        ])
        model.adopt(snapshot)
        #expect(view(120, 24).lines(model)[0].text.contains(", 1m01s since the upgrade, "))
    }

    @Test(arguments: [UInt64(1), 57, 200]) func cursor_isAlwaysOnTheScreen(id: UInt64) throws {
        var model = try model(Array(1...200))
        while model.selection != .connection(id) { _ = model.handle(.down) }
        let lines = view(80, 24).lines(model)
        #expect(lines.contains { $0.text.hasPrefix(">") && $0.text.contains(" \(id) ") })
    }

    @Test func sixtyColumns_stillShowRatesAndPorts() throws {
        let text = view(60, 20).lines(try model([5])).map(\.text).joined(separator: "\n")
        #expect(
            text.contains("UP/S") && text.contains("DOWN/S") && text.contains(":5000") && text.contains("2.00 KiB/s"))
    }

    @Test func eightyColumns_showTheColumnOfTheOrder_andWholeAddresses() throws {
        var snapshot = try TopModelTests.snapshot([5])
        snapshot.connections[0].relay = String(repeating: "long", count: 20)
        snapshot.connections[0].client = "127.0.0.1:50000"
        var model = TopModel()
        model.adopt(snapshot)
        #expect(view(80, 24).lines(model).contains { $0.text.contains(" 127.0.0.1:50000 ") })
        while model.sort != .bytes { _ = model.handle(.character("s")) }
        let heading = try #require(view(80, 24).lines(model).first { $0.text.contains("CLIENT") })
        #expect(heading.text.contains("BYTES"))
    }

    @Test(arguments: [20, 50, 80, 120]) func lastLine_isNotCut(columns: Int) throws {
        let line = try #require(view(columns, 24).lines(try model([5])).last)
        #expect(line.text.hasSuffix("? help") && line.text.count <= columns)
    }

    /// The keys have one column, and what they do begins in another.
    @Test func help_isAligned_andFits() throws {
        let lines = view(60, 24).lines(try model([5], keys: [.character("?")])).dropFirst(2).dropLast().map(\.text)
        let keys = lines.prefix { !$0.isEmpty }
        #expect(keys.count > 9 && keys.allSatisfy { $0.count <= 60 && $0.dropFirst(12).first == " " })
        #expect(keys.allSatisfy { $0.dropFirst(13).first?.isLetter == true }, "\(keys)")
    }

    @Test func noColor_usesNone() throws {
        let lines = view(80, 24).lines(try model([5]))
        let codes = lines.map { $0.rendered(columns: 80, TerminalTraits(showsColor: false, showsUnicode: true)) }
            .joined().matches(of: /\u{1B}\[([0-9;]*)m/).map { String($0.output.1) }
        #expect(Set(codes).isSubset(of: ["0", "1", "2", "7"]))
    }

    @Test func withoutUnicode_onlyASCIIIsDrawn() throws {
        let view = view(80, 24, unicode: false)
        let terminal = TerminalTraits(showsColor: true, showsUnicode: false)
        let text = view.lines(try model([5])).map { $0.rendered(columns: 80, terminal) }.joined()
        #expect(text.unicodeScalars.allSatisfy { $0.isASCII })
    }

    @Test func textOfPeers_cannotActOnTheTerminal() throws {
        var snapshot = try TopModelTests.snapshot([5])
        snapshot.connections[0].client = "\u{1B}[2Jx\u{202E}"
        snapshot.relays[0].name = "\u{9B}31m"
        var model = TopModel()
        model.adopt(snapshot)
        let text = view(120, 40).lines(model).map(\.text).joined()
        #expect(
            text.unicodeScalars.allSatisfy {
                !(0x80...0x9F).contains($0.value) && $0.value >= 0x20 && $0.value != 0x202E
            })
        #expect(text.contains("\\u001b[2Jx\\u202e"))
    }

    @Test(arguments: [(0, ""), (1, "▏"), (50, "█████"), (100, "██████████"), (55, "█████▌")] as [(UInt64, String)])
    func bar_isAsLongAsItsPart(value: UInt64, bar: String) {
        let terminal = TerminalTraits(showsColor: false, showsUnicode: true)
        #expect(Bars.bar(value, of: 100, columns: 10, terminal) == bar)
    }

    @Test func history_showsTheLatestOnTheRight() {
        let terminal = TerminalTraits(showsColor: false, showsUnicode: true)
        #expect(Bars.history([0, 50, 100], columns: 5, terminal) == "   ▄█")
        #expect(Bars.history([1, 2, 3, 100], columns: 1, terminal) == "█")
    }
}
