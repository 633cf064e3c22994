import Configuration
import Logging
import Relay
import Sockets
import Terminal
import Testing
import Text

@testable import Daemon

/// The lines of `forward` on a terminal.
struct ConnectionLinesTests {
    /// 2026-11-22T20:15:00Z.
    private static let time: Int64 = 1_795_378_500_123_000_000

    private func lines(
        unicode: Bool = true, color: Bool = false, relays: [String] = ["8080"], columns: Int = 80
    ) -> ConnectionLines {
        ConnectionLines(
            traits: TerminalTraits(showsColor: color, showsUnicode: unicode), isUTC: true, relays: relays,
            columns: { columns })
    }

    private func record(
        _ reason: EndReason? = nil, id: UInt64 = 1, relay: String = "8080", upstream: String = "localhost:8000",
        up: UInt64 = 78, down: UInt64 = 190
    ) -> ConnectionRecord {
        var record = ConnectionRecord(
            id: id, relay: relay, generation: 1, client: .ipv4(.loopback, port: 33_608),
            listener: .ipv4(.loopback, port: 8080), upstream: upstream, accepted: Self.time)
        record.upstreamAddress = .ipv4(.loopback, port: 8000)
        record.bytesUp = up
        record.bytesDown = down
        guard let reason else { return record }
        record.connectDuration = reason.isOfConnecting ? nil : 1
        record.end = .init(time: Self.time, duration: 4_000_000, reason: reason, errno: nil)
        return record
    }

    private func opened(_ record: ConnectionRecord, _ lines: ConnectionLines) -> String {
        var bytes: [UInt8] = []
        lines.append(opened: record, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func ended(_ record: ConnectionRecord, _ lines: ConnectionLines) -> String {
        var bytes: [UInt8] = []
        lines.append(ended: record, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func opening_namesTheClient() {
        #expect(opened(record(), lines()) == "20:15:00  #1   open    127.0.0.1:33608\n")
    }

    @Test func orderlyEnd_namesTheSideTheBytesAndTheTime() {
        #expect(
            ended(record(.upstreamClosed), lines())
                == "20:15:00  #1   closed  by upstream  ↑ 78 B      ↓ 190 B     4.00 ms\n")
        #expect(ended(record(.clientClosed), lines(unicode: false)).contains("by client    ^ 78 B      v 190 B"))
    }

    @Test func failure_beforeTheUpstream_hasItsReason_andNoBytes() {
        #expect(
            ended(record(.connectRefused, id: 3), lines(columns: 120))
                == "20:15:00  #3   FAILED  localhost:8000 refused the connection: nothing is listening on port 8000\n")
    }

    @Test func failure_longerThanTheTerminal_breaksBetweenWords() {
        #expect(
            ended(record(.connectRefused, id: 3), lines())
                == "20:15:00  #3   FAILED  localhost:8000 refused the connection: nothing is\n"
                + "                       listening on port 8000\n")
    }

    @Test func failure_ofAConnection_hasItsBytes() {
        #expect(
            ended(record(.clientReset), lines())
                == "20:15:00  #1   FAILED  the client reset the connection  ↑ 78 B  ↓ 190 B  4.00 ms\n")
    }

    @Test func failure_isRed_andARequestedEndIsNot() {
        #expect(ended(record(.connectRefused), lines(color: true)).contains("\u{1B}[1;31mFAILED\u{1B}[0m"))
        let killed = ended(record(.killed), lines(color: true))
        #expect(killed.contains("ended   killed by request") && !killed.contains("\u{1B}"))
    }

    /// The widest values of every column.
    @Test(arguments: EndReason.allCases) func everyLine_fitsEightyColumns(_ reason: EndReason) {
        let wide = record(
            reason, id: 999, relay: "production-database", upstream: "database.internal.example.com:15432",
            up: .max, down: .max)
        let lines = lines(relays: ["production-database", "8080"])
        for line in (opened(wide, lines) + ended(wide, lines)).split(separator: "\n") { #expect(line.count <= 80) }
    }

    @Test func severalRelays_areNamed() {
        #expect(
            opened(record(relay: "80"), lines(relays: ["80", "8080"]))
                == "20:15:00  80    #1   open    127.0.0.1:33608\n")
    }

    /// The ends of long names distinguish them: those that `forward` takes from upstreams end with the port.
    @Test func longNames_areCutInTheMiddle() {
        let names = ["localhost-8000", "localhost-9000"]
        let shown = names.map { opened(record(relay: $0), lines(relays: names)) }
        #expect(shown[0] == "20:15:00  lo…t-8000  #1   open    127.0.0.1:33608\n")
        #expect(shown[1] == "20:15:00  lo…t-9000  #1   open    127.0.0.1:33608\n")
    }

    @Test func textFromOutside_cannotControlTheTerminal() {
        let shown = ended(record(.connectRefused, upstream: "unix:/a\u{1B}[2J"), lines())
        #expect(!shown.contains("\u{1B}"))
    }

    @Test func start_namesListenersAndDestination_andHowToStop() {
        let relays = [
            (listeners: ["127.0.0.1:8080", "[::1]:8080"], destination: "localhost:8000"),
            (listeners: ["127.0.0.1:5433"], destination: "db:5432"),
        ]
        #expect(
            lines().forwarding(relays) == """
                Forwarding 127.0.0.1:8080 and [::1]:8080 → localhost:8000    (Ctrl-C to stop)
                Forwarding 127.0.0.1:5433 → db:5432

                """)
        #expect(lines(unicode: false).forwarding(Array(relays.suffix(1))).contains("127.0.0.1:5433 -> db:5432    ("))
        #expect(
            lines(columns: 70).forwarding(relays).hasPrefix(
                "Forwarding 127.0.0.1:8080 and [::1]:8080 → localhost:8000\n(Ctrl"))
    }

    @Test func destination_thatIsLongerThanTheTerminal_breaksBetweenWords() {
        let destination = UpstreamAddress.requested.destinationText
        let relays = [(listeners: ["127.0.0.1:1080", "[::1]:1080"], destination: destination)]
        #expect(
            lines().forwarding(relays) == """
                Forwarding 127.0.0.1:1080 and [::1]:1080 → what each client requests (SOCKS 5,
                HTTP CONNECT)    (Ctrl-C to stop)

                """)
        #expect(UpstreamAddress.originalDestination.destinationText == "the original destination of each client")
        #expect(UpstreamAddress.name("a.example", port: 80).destinationText == "a.example:80")
    }

    @Test func event_hasItsTimeInTheColumnOfConnections() {
        let time = Timestamp(nanoseconds: Self.time)
        #expect(lines().event("started: ./server", at: time) == "20:15:00  started: ./server\n")
        #expect(
            lines(columns: 40).event("starting ./server again in 5s: 1 client held", at: time)
                == "20:15:00  starting ./server again in 5s:\n          1 client held\n")
        #expect(!lines().event("a\u{1B}[2J", at: time).contains("\u{1B}"))
    }

    @Test func summary_countsConnectionsFailuresAndBytes() {
        let totals = ConnectionTotals()
        #expect(lines().summary(totals.now) == "No connections\n")
        for end in [record(.upstreamClosed), record(.clientClosed), record(.connectRefused, up: 0, down: 0)] {
            totals.add(end)
        }
        #expect(lines().summary(totals.now) == "3 connections, 1 failed, ↑ 156 B ↓ 380 B\n")
    }

    @Test func linesLeftOut_areCounted() {
        #expect(lines().omission(12) == "... 12 lines skipped: the terminal was too slow\n")
    }

    @Test func style_withoutATerminal_writesTheRecord_andNoOpening() {
        let live = LiveLog(level: .info, format: .text)
        var bytes: [UInt8] = []
        LineStyle(live: live).append(.opened(record()), to: &bytes)
        #expect(bytes.isEmpty)
        LineStyle(live: live).append(.endRecord(record(.clientClosed)), to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("time="))
    }

    @Test func linesOfATextLog_areBrokenBetweenWords_withAnIndent() {
        let diagnostic = Diagnostic(
            time: Timestamp(nanoseconds: 0), level: .notice,
            message: "web listens on 127.0.0.1:8080 and forwards to a:1",
            fields: [.init(key: "relay", value: .text("web"))])
        for line in [Outputs.Line.endRecord(record(.clientClosed)), .diagnostic(diagnostic)] {
            let plain = LineStyle(live: LiveLog(level: .info, format: .text))
            var narrow = plain
            narrow.logColumns = { 60 }
            func lines(_ style: LineStyle) -> [Substring] {
                var bytes: [UInt8] = []
                style.append(line, to: &bytes)
                return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            }
            let (whole, broken) = (lines(plain), lines(narrow))
            #expect(whole.count == 2 && broken.count > 2 && broken.allSatisfy { $0.count <= 60 })
            #expect(broken.dropFirst().dropLast().allSatisfy { $0.hasPrefix("    ") && !$0.hasPrefix("     ") })
            let joined = broken.dropLast().enumerated().map { $0 == 0 ? $1 : $1.dropFirst(4) }.joined(separator: " ")
            #expect(joined == whole[0] && broken.last == "")
            narrow = LineStyle(live: LiveLog(level: .info, format: .json))
            narrow.logColumns = { 60 }
            #expect(lines(narrow).count == 2)
        }
    }

    @Test func linesOfAFile_areNotBroken() throws {
        var style = LineStyle(live: LiveLog(level: .info, format: .text))
        style.breaksLines = true
        #expect(style.on(try OutputFile(appendingTo: "/dev/null")).logColumns == nil)
    }

    @Test func diagnostics_onATerminal_areShortSentences() {
        let style = LineStyle(
            live: LiveLog(level: .info, format: .text),
            diagnostics: TerminalTraits(showsColor: false, showsUnicode: true))
        func shown(_ level: Diagnostic, _ style: LineStyle) -> String {
            var bytes: [UInt8] = []
            style.append(.diagnostic(level), to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        let fields = [
            Diagnostic.Field(key: "file", value: .text("a.pcapng")), .init(key: "error", value: .text("ENOSPC")),
        ]
        var line = Diagnostic(time: Timestamp(nanoseconds: 0), level: .warning, message: "disk\nfull", fields: fields)
        #expect(shown(line, style) == "warning: disk\\nfull (file a.pcapng, error ENOSPC)\n")
        line = Diagnostic(time: Timestamp(nanoseconds: 0), level: .notice, message: "taken over", fields: [])
        #expect(shown(line, style) == "taken over\n")
    }
}
