import Sockets
import TestSupport
import Testing
import Text

@testable import Terminal

struct TrafficPrinterTests {
    private static let plain = TerminalTraits(showsColor: false, showsUnicode: false)
    private static let unicode = TerminalTraits(showsColor: false, showsUnicode: true)
    private static let time = Timestamp(nanoseconds: 1_795_378_500_123_000_000)
    private static let stamp = "2026-11-22T20:15:00.123Z"

    @Test(arguments: [
        // bytes, without Unicode, with Unicode
        ("Hello, server!", "Hello, server!\n", "Hello, server!\n"),
        ("two\nlines\tand a tab\n", "two\nlines\tand a tab\n", "two\nlines\tand a tab\n"),
        ("GET / HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\n"),
        ("\u{1B}[31mred\u{7}\u{7F}\u{0}", "\\x1b[31mred\\x07\\x7f\\x00\n", "\\x1b[31mred\\x07\\x7f\\x00\n"),
        ("naïve →", "na\\xc3\\xafve \\xe2\\x86\\x92\n", "naïve →\n"),
        ("\u{9B}2J", "\\xc2\\x9b2J\n", "\\xc2\\x9b2J\n"),
        ("\u{202E}abc", "\\xe2\\x80\\xaeabc\n", "\\xe2\\x80\\xaeabc\n"),
        ("", "\n", "\n"),
    ])
    func text_letsNoControlCharacterThroughButNewlineAndTab(sent: String, ascii: String, unicode: String) {
        #expect(body(Array(sent.utf8), .text, Self.plain) == ascii)
        #expect(body(Array(sent.utf8), .text, Self.unicode) == unicode)
    }

    @Test(
        arguments: [
            ([0xFF, 0x41], "\\xffA\n"),
            ([0xC3], "\\xc3\n"),
            ([0xE2, 0x86, 0x41], "\\xe2\\x86A\n"),
            ([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80\n"),
            ([0xC0, 0x8A], "\\xc0\\x8a\n"),
            ([0xF0, 0x9F, 0x98, 0x80, 0x80], "😀\\x80\n"),
        ] as [([UInt8], String)])
    func text_showsInvalidUTF8AsBytes(bytes: [UInt8], expected: String) {
        #expect(body(bytes, .text, Self.unicode) == expected)
    }

    @Test func missing_isSaidInItsPlaceAndMovesTheOffset() {
        var printer = TrafficPrinter(view: .hex, terminal: Self.plain)
        let flow = Traffic.Flow(connection: 3, direction: .up)
        var lines: [UInt8] = []
        printer.append(.missing(flow, count: 1, time: Self.time), to: &lines)
        printer.append(.missing(flow, count: 15, time: Self.time), to: &lines)
        printer.append(.passed(flow, bytes: [0x41], time: Self.time, unseen: 0), to: &lines)
        let text = String(decoding: lines, as: UTF8.self).split(separator: "\n")
        #expect(text[0] == "\(Self.stamp) #3 client > upstream, 1 byte missing from the recording")
        #expect(text[1] == "\(Self.stamp) #3 client > upstream, 15 bytes missing from the recording")
        #expect(text[3].hasPrefix("00000010  41 "))
    }

    @Test func text_withEveryByte_printsNoOtherControlByte() {
        let all = (0...255).map { UInt8($0) }
        for traits in [Self.plain, Self.unicode] {
            for scalar in body(all, .text, traits).unicodeScalars {
                #expect(!scalar.actsOnReader || scalar == "\n" || scalar == "\t")
            }
        }
    }

    @Test func hex_showsOffsetSixteenBytesAndASCII() {
        #expect(
            body(Array("Hello, server! \u{1B}[0m".utf8), .hex, Self.plain) == """
                00000000  48 65 6c 6c 6f 2c 20 73  65 72 76 65 72 21 20 1b  |Hello, server! .|
                00000010  5b 30 6d                                          |[0m|

                """)
    }

    @Test func hex_countsTheOffsetAlongTheFlowAndOverWhatIsNotShown() {
        var printer = TrafficPrinter(view: .hex, terminal: Self.plain)
        let flow = Traffic.Flow(connection: 3, direction: .down)
        let printed = text { lines in
            printer.append(.passed(flow, bytes: [0x41], time: Self.time, unseen: 0), to: &lines)
            printer.append(.passed(flow, bytes: [0x42, 0x43], time: Self.time, unseen: 0xFF), to: &lines)
            printer.append(.ended(Traffic.Ending(connection: 3, unseenDown: 5), time: Self.time), to: &lines)
            printer.append(.passed(flow, bytes: [0x44], time: Self.time, unseen: 0), to: &lines)
        }
        let gap = String(repeating: " ", count: 45)
        #expect(
            printed == """
                \(Self.stamp) #3 client < upstream, 1 byte
                00000000  41 \(gap)  |A|
                \(Self.stamp) #3 client < upstream, 255 bytes not shown: the output was too slow
                \(Self.stamp) #3 client < upstream, 2 bytes
                00000100  42 43 \(gap.dropLast(3))  |BC|
                \(Self.stamp) #3 client < upstream, 5 bytes not shown: the output was too slow
                \(Self.stamp) #3 client < upstream, 1 byte
                00000000  44 \(gap)  |D|

                """)
    }

    @Test(arguments: [
        (Direction.up, TerminalTraits(showsColor: false, showsUnicode: true), "#7 client → upstream, 2 bytes\n"),
        (.down, TerminalTraits(showsColor: false, showsUnicode: true), "#7 client ← upstream, 2 bytes\n"),
        (.up, TerminalTraits(showsColor: false, showsUnicode: false), "#7 client > upstream, 2 bytes\n"),
        (.down, TerminalTraits(showsColor: true, showsUnicode: false), "#7 client < upstream, 2 bytes\u{1B}[0m\n"),
    ])
    func header_saysWhichConnectionDirectionTimeAndCount(
        direction: Direction, traits: TerminalTraits, expected: String
    ) {
        var printer = TrafficPrinter(view: .text, terminal: traits)
        let flow = Traffic.Flow(connection: 7, direction: direction)
        let printed = text { lines in
            printer.append(.passed(flow, bytes: [0x68, 0x69], time: Self.time, unseen: 0), to: &lines)
        }
        let color = traits.showsColor ? "\u{1B}[32m" : ""
        #expect(printed == "\(color)\(Self.stamp) \(expected)hi\n")
    }

    @Test func ends_areLinesInTheStyleOfHeaders() {
        var printer = TrafficPrinter(view: .text, terminal: Self.plain)
        func outcome(_ reason: String?, by closedBy: String?, errno: String? = nil) -> Traffic {
            let outcome = Traffic.Outcome(
                reason: reason, closedBy: closedBy, errno: errno, bytesUp: 78, bytesDown: 2048, duration: 4_020_000)
            return .ended(Traffic.Ending(connection: 7, outcome: outcome), time: Self.time)
        }
        let opening = Traffic.Opening(connection: 7, client: "10.0.0.1:5\u{1B}", relay: "web", upstream: "db:1")
        var later = opening
        (later.relay, later.isUnderway) = (nil, true)
        let printed = text { lines in
            printer.append(.opened(opening, time: Self.time), to: &lines)
            printer.append(.opened(later, time: Self.time), to: &lines)
            printer.append(outcome("upstream_closed", by: "upstream"), to: &lines)
            printer.append(outcome("connect_refused", by: "upstream", errno: "ECONNREFUSED"), to: &lines)
            printer.append(outcome("client_reset", by: "client", errno: "ECONNRESET"), to: &lines)
            printer.append(outcome(nil, by: nil), to: &lines)
        }
        #expect(
            printed == """
                \(Self.stamp) #7 opened, 10.0.0.1:5\\u001b > web > db:1
                \(Self.stamp) #7 was open before, 10.0.0.1:5\\u001b > db:1
                \(Self.stamp) #7 closed by upstream, up 78 B, down 2.00 KiB, 4.02 ms
                \(Self.stamp) #7 closed by upstream, connect_refused (ECONNREFUSED), up 78 B, down 2.00 KiB, 4.02 ms
                \(Self.stamp) #7 closed, client_reset (ECONNRESET), up 78 B, down 2.00 KiB, 4.02 ms
                \(Self.stamp) #7 still open at the end of the recording, up 78 B, down 2.00 KiB, 4.02 ms

                """)
    }

    @Test func linesOnATerminal_areBrokenBetweenWords_butBytesAreNot() {
        var printer = TrafficPrinter(view: .text, terminal: Self.plain, times: .utc, columns: { 60 })
        let outcome = Traffic.Outcome(
            reason: "connect_unreachable", closedBy: "upstream", errno: "EHOSTUNREACH", bytesUp: 0, bytesDown: 0,
            duration: 4_020_000)
        let long = String(repeating: "x", count: 70)
        let printed = text { lines in
            let flow = Traffic.Flow(connection: 7, direction: .up)
            printer.append(.passed(flow, bytes: Array(long.utf8), time: Self.time, unseen: 0), to: &lines)
            printer.append(.ended(Traffic.Ending(connection: 7, outcome: outcome), time: Self.time), to: &lines)
        }
        #expect(
            printed == """
                \(Self.stamp) #7 client > upstream, 70 bytes
                \(long)
                \(Self.stamp) #7 closed by upstream,
                  connect_unreachable (EHOSTUNREACH), up 0 B, down 0 B, 4.02
                  ms

                """)
    }

    @Test func describedBytes_areLines_andRemarksAreUnchanged() {
        var printer = TrafficPrinter(view: .text, terminal: Self.plain)
        let flow = Traffic.Flow(connection: 7, direction: .up)
        let printed = text { lines in
            printer.append(.described(flow, count: 9, lines: ["Query: a\u{1B}", "Sync"], time: Self.time), to: &lines)
            printer.append(.described(flow, count: 1, lines: [], time: Self.time), to: &lines)
            printer.append(.remark("2 connections\n"), to: &lines)
        }
        #expect(
            printed == """
                \(Self.stamp) #7 client > upstream, 9 bytes
                Query: a\\x1b
                Sync
                \(Self.stamp) #7 client > upstream, 1 byte
                2 connections

                """)
    }

    @Test func failure_isRed() {
        var printer = TrafficPrinter(view: .text, terminal: TerminalTraits(showsColor: true, showsUnicode: false))
        let outcome = Traffic.Outcome(
            reason: "idle_timeout", closedBy: "tapline", errno: nil, bytesUp: 0, bytesDown: 0, duration: 0)
        let printed = text { lines in
            printer.append(.ended(Traffic.Ending(connection: 1, outcome: outcome), time: Self.time), to: &lines)
        }
        #expect(printed.hasPrefix("\u{1B}[31m") && printed.hasSuffix("\u{1B}[0m\n"))
    }

    /// The output below the header.
    private func body(_ bytes: [UInt8], _ view: TrafficView, _ traits: TerminalTraits) -> String {
        var printer = TrafficPrinter(view: view, terminal: traits)
        let flow = Traffic.Flow(connection: 1, direction: .up)
        let printed = text { lines in
            printer.append(.passed(flow, bytes: bytes, time: Self.time, unseen: 0), to: &lines)
        }
        return String(printed.drop { $0 != "\n" }.dropFirst())
    }
}
