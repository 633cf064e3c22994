import Terminal
import TestSupport
import Testing
import Text

@testable import Client

/// The styles of `connections` and `why` on a terminal.
struct ColorTests {
    private func json(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

    private func output(color: Bool, columns: Int? = 120) -> ClientOutput {
        ClientOutput(columns: columns, terminal: TerminalTraits(showsColor: color, showsUnicode: true), zone: .utc)
    }

    private func ended(_ id: Int, _ reason: String) throws -> JSONValue {
        try json(
            """
            {"id":\(id),"relay":"web","state":"closed","reason":"\(reason)","errno":"ECONNRESET","closed_by":"client",
            "client":"127.0.0.1:40000","listener":"127.0.0.1:8080","upstream":"db:5432",
            "time":"2026-11-23T00:26:07.925Z","duration_ms":12,"bytes_up":1,"bytes_down":2048,
            "story":["It failed.","Check with `ss -ltn` on that machine."]}
            """)
    }

    @Test func endedConnections_haveRedReasons_whereTheyFailed() throws {
        let table = ConnectionTable(
            [try ended(7, "client_closed"), try ended(1234, "client_reset")], areClosed: true)
        let lines = table.lines(output(color: true))
        #expect(lines[0].hasPrefix("  \u{1B}[1mID\u{1B}[0m  \u{1B}[1mENDED\u{1B}[0m"))
        #expect(lines[1].contains("client_closed (ECONNRESET)") && !lines[1].contains("\u{1B}[31m"))
        #expect(lines[2].hasPrefix("\u{1B}[1m1234\u{1B}[0m  00:26:07"))
        #expect(lines[2].contains("\u{1B}[31mclient_reset (ECONNRESET)\u{1B}[0m"))
    }

    /// The styles take no columns, in any width.
    @Test(arguments: [nil, 20, 40, 60, 80, 100] as [Int?]) func tableWithStyles_isAlignedAsWithoutThem(columns: Int?)
        throws
    {
        for areClosed in [true, false] {
            let rows = [try ended(7, "client_closed"), try ended(1234, "connect_refused")]
            let table = ConnectionTable(rows, areClosed: areClosed)
            let plain = table.lines(output(color: false, columns: columns))
            let styled = table.lines(output(color: true, columns: columns))
            #expect(styled.map(\.withoutStyles) == plain && !plain.joined().contains("\u{1B}"))
        }
    }

    @Test func why_ofAFailure_isRed_withCommandsInBold() throws {
        let color = TerminalTraits(showsColor: true, showsUnicode: true)
        let failed = ConnectionReport(try ended(7, "client_reset"))
        let lines = failed.lines(within: 40, color)
        #expect(lines[0] == "\u{1B}[31;1mconnection 7 of web, closed\u{1B}[0m")
        #expect(lines.contains("Check with `\u{1B}[1mss -ltn\u{1B}[0m` on that machine."))
        #expect(lines.contains { $0.hasPrefix("\u{1B}[2mpath\u{1B}[0m         127.0.0.1:40000 →") })
        let end = lines.firstIndex {
            $0.hasPrefix("\u{1B}[2mended\u{1B}[0m        \u{1B}[31m2026-11-23T00:26:07.925Z,")
        }
        #expect(lines[try #require(end) + 1].hasPrefix("             \u{1B}[31m"))
        #expect(lines.map(\.withoutStyles) == failed.lines(within: 40, showsUnicode: true))

        let orderly = ConnectionReport(try ended(7, "client_closed")).lines(within: 120, color)
        #expect(orderly[0] == "\u{1B}[1mconnection 7 of web, closed\u{1B}[0m")
        #expect(!orderly.joined().contains("\u{1B}[31"))
    }

    /// A command that is broken between two lines is bold on both.
    @Test func code_isBold_acrossLines() {
        let color = TerminalTraits(showsColor: true, showsUnicode: true)
        #expect(
            color.paintingCode(["run `ss", "-ltn` there", "end"]) == [
                "run `\u{1B}[1mss\u{1B}[0m", "\u{1B}[1m-ltn\u{1B}[0m` there", "end",
            ])
        let plain = TerminalTraits(showsColor: false, showsUnicode: true)
        #expect(plain.paintingCode(["run `ss", "-ltn` there"]) == ["run `ss", "-ltn` there"])
    }

    @Test func hintBelowTheTable_isDim() {
        #expect(
            ConnectionList.fit(["ID", "1", "2"], of: 2, into: 3, output(color: true)) == [
                "ID", "\u{1B}[2mand 2 more\u{1B}[0m",
            ])
    }
}
