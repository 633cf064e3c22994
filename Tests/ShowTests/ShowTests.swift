import Sockets
import Terminal
import TestSupport
import Testing
import Text

@testable import Recording
@testable import Show

/// The output of `tapline show`.
struct ShowTests {
    private static let start = Timestamp(nanoseconds: 1_795_378_500_123_000_000)

    private func conversation(
        _ id: UInt64, _ change: (inout RecordedConversation) -> Void = { _ in }
    ) throws -> RecordedConversation {
        var conversation = try #require(Sample.conversation)
        conversation.id = id
        conversation.started = Self.start
        conversation.ended = Timestamp(nanoseconds: Self.start.nanoseconds + 1_500_000_000)
        change(&conversation)
        return conversation
    }

    private func lines(
        _ conversations: [RecordedConversation], columns: Int?, showsUnicode: Bool = true, showsColor: Bool = false,
        order: SummaryView.Order = SummaryView.Order()
    ) -> [String] {
        var view = SummaryView(
            columns: columns, terminal: TerminalTraits(showsColor: showsColor, showsUnicode: showsUnicode),
            order: order)
        var output: [UInt8] = []
        for conversation in conversations { view.append(.ended(conversation), into: &output) }
        view.finish(into: &output)
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func summary_hasTheFiles_whereTheirIDsAreTheSame() throws {
        func text(_ files: [(String, [UInt64])], columns: Int?) throws -> [String] {
            var view = SummaryView(columns: columns, terminal: TerminalTraits(showsColor: false, showsUnicode: true))
            var output: [UInt8] = []
            for (name, ids) in files {
                view.begin(name)
                for id in ids { view.append(.ended(try conversation(id)), into: &output) }
            }
            view.finish(into: &output)
            return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let same = try text([("a.pcapng", [1, 2]), ("b.pcapng", [2])], columns: nil)
        #expect(same[0].hasPrefix("ID  FILE      TIME ") && same.count == 4)
        #expect(
            same.contains { $0.hasPrefix(" 2  a.pcapng  2026-") }
                && same.contains { $0.hasPrefix(" 2  b.pcapng  2026-") })
        #expect(try text([("a.pcapng", [1]), ("b.pcapng", [2])], columns: nil)[0].hasPrefix("ID  TIME "))
        #expect(try text([("a.pcapng", [1]), ("b.pcapng", [1])], columns: 40)[0].contains("  a.pcapng  2026-"))
    }

    /// Bytes of one conversation of PostgreSQL, and of another protocol.
    @Test func text_hasTheMessagesOfPostgreSQL_andOtherBytesAsTheyAre() throws {
        var view = TrafficPrintView(.text, TerminalTraits(showsColor: false, showsUnicode: false), times: .utc)
        var output: [UInt8] = []
        let startup: [UInt8] = [0, 0, 0, 18, 0, 3, 0, 0] + Array("user\0bob\0\0".utf8)
        let query: [UInt8] = [UInt8(ascii: "Q"), 0, 0, 0, 13] + Array("SELECT 1\0".utf8)
        for (id, pieces) in [(1, [startup, query]), (2, [Array("hello\u{1}\n".utf8), startup])] as [(UInt64, [[UInt8]])]
        {
            view.append(.opened(try conversation(id) { $0.hasStart = true }), into: &output)
            for bytes in pieces {
                let piece = RecordedBytes(key: .init(id: id), direction: .up, time: Self.start, bytes: bytes[...])
                view.append(.bytes(piece), into: &output)
            }
        }
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        #expect(lines.contains("Startup: user=bob") && lines.contains("Query: SELECT 1"))
        #expect(lines.contains("hello\\x01") && lines.contains { $0.hasPrefix("\\x00\\x00\\x00\\x12") })
    }

    @Test func summary_linesUpInTheOrderOfTheNumbers() throws {
        let lines = lines(
            [
                try conversation(12) {
                    $0.up.recorded = 2048
                    $0.reason = "client_closed"
                    $0.up.prefix = Array("GET / HTTP/1.1\r\n".utf8)
                },
                try conversation(3) {
                    $0.client = "[2001:db8::1]:40000"
                    $0.upstream = "example.com:80"
                    $0.down.missing = 5
                    $0.up.repeated = 1500
                    $0.down.repeated = 36
                },
            ], columns: nil)
        #expect(
            lines == [
                "ID  TIME                      CLIENT               UPSTREAM              UP  DOWN  LASTED  END            PROTOCOL",
                " 3  2026-11-22T20:15:00.123Z  [2001:db8::1]:40000  example.com:80       0 B   5 B  1.50 s  -              - (5 B missing, 1.50 KiB repeated)",
                "12  2026-11-22T20:15:00.123Z  10.0.0.1:40000       10.0.0.2:80     2.00 KiB   0 B  1.50 s  client_closed  HTTP GET /",
            ])
    }

    /// The plaintext comes first, and its legs are marked.
    @Test func summary_marksEncryptedLegs() throws {
        let lines = lines(
            try [Side.upstream, .client, nil].map { leg in
                try conversation(3) {
                    $0.leg = leg
                    $0.relay = "web"
                }
            }, columns: nil)
        #expect(lines.count == 4)
        for (line, relay) in zip(lines.dropFirst(), ["web", "web (encrypted, client)", "web (encrypted, upstream)"]) {
            #expect(line.contains("  \(relay)  "), "\(lines)")
        }
    }

    /// A connection's conversations have one number: bytes are those of the plaintext, or of one leg.
    @Test(arguments: [nil, Side.client, .upstream]) func filter_showsOneOfTheLegs(_ leg: Side?) throws {
        for relay in [nil, "web"] {
            var filter = ShowFilter(
                connection: 3, relay: relay, legs: leg.map { .encrypted($0) } ?? .plaintext)
            for other in [nil, Side.client, .upstream] {
                let conversation = try conversation(3) {
                    $0.leg = other
                    $0.relay = "web"
                }
                let bytes = RecordedBytes(key: conversation.key, direction: .up, time: Self.start, bytes: [])
                for event in [.opened(conversation), .bytes(bytes), .ended(conversation)] as [RecordingEvent] {
                    #expect(filter.includes(event) == (other == leg))
                }
            }
            #expect(filter.mismatch(in: "x") == nil)
        }
        var filter = ShowFilter(legs: .encrypted(.client))
        #expect(!filter.includes(.opened(try conversation(3))))
        #expect(
            filter.mismatch(in: "x")
                == "there is no encrypted leg with the client in x; it is recorded with `encrypted: true`")
    }

    /// What is asked for is not there, but another conversation of the connection is.
    @Test func filter_namesTheLegsThatThereAre() throws {
        func message(_ legs: ShowFilter.Legs, _ seen: [Side?], reason: String? = nil) throws -> String? {
            var filter = ShowFilter(connection: 3, legs: legs)
            for leg in seen {
                let conversation = try conversation(3) {
                    $0.leg = leg
                    $0.reason = reason
                }
                _ = filter.includes(.opened(conversation))
                _ = filter.includes(.ended(conversation))
            }
            return filter.mismatch(in: "x")
        }
        #expect(
            try message(.plaintext, [.client], reason: "tls_certificate_refused")
                == "connection 3 has no plaintext, because its handshake failed (tls_certificate_refused); see --leg client"
        )
        #expect(
            try message(.encrypted(.client), [nil, .upstream])
                == "there is no encrypted leg with the client in x of connection 3: clients of this relay speak no TLS, or "
                + "it was not connected; legs: upstream")
        #expect(try message(.plaintext, [nil, .client]) == nil)
        #expect(try message(.plaintext, []) == "no connection 3 in x; there are none")
    }

    @Test(arguments: [40, 60, 80, 100, 110, 120, 200]) func summary_onATerminal_keepsToItsWidth(columns: Int) throws {
        let long = try conversation(1) {
            $0.reason = "upstream_closed"
            $0.up.prefix = Array("GET /\(String(repeating: "x", count: 150)) HTTP/1.1\r\n".utf8)
        }
        for showsUnicode in [true, false] {
            let lines = lines([long, try conversation(2)], columns: columns, showsUnicode: showsUnicode)
            // Addresses are not truncated: below 80 columns their lines may be longer.
            let longest = lines.filter { !$0.contains("2026-") || columns >= 80 }.map(\.count).max() ?? 0
            #expect(longest <= columns)
            #expect(lines.count == (columns > 110 ? 3 : 4))
            #expect(lines.joined().contains(showsUnicode ? "…" : "..."))
        }
    }

    @Test func summary_letsNothingOfThePeersActOnTheTerminal() throws {
        let evil = try conversation(1) {
            $0.up.prefix = Array("GET /\u{1B}[2J\u{9B}2J\u{202E} HTTP/1.1\r\n".utf8)
            $0.client = "\u{1B}]0;title\u{7}"
            $0.upstream = "a\u{85}b"
            $0.reason = "\u{1B}c"
        }
        for showsUnicode in [true, false] {
            for line in lines([evil], columns: nil, showsUnicode: showsUnicode) {
                #expect(!line.unicodeScalars.contains { $0.actsOnReader })
                #expect(showsUnicode || line.unicodeScalars.allSatisfy(\.isASCII))
            }
        }
    }

    @Test func summary_whenTheInputRests_writesWhatIsThereUnderOneHeader() throws {
        var view = SummaryView(
            columns: nil, terminal: TerminalTraits(showsColor: false, showsUnicode: true))
        var output: [UInt8] = []
        view.flush(into: &output)
        #expect(output.isEmpty)
        view.append(.ended(try conversation(2)), into: &output)
        view.flush(into: &output)
        #expect(output.count { $0 == UInt8(ascii: "\n") } == 2)
        view.append(.ended(try conversation(1)), into: &output)
        view.finish(into: &output)
        #expect(output.count { $0 == UInt8(ascii: "\n") } == 3)
    }

    @Test func summary_ofSeveralRelays_namesThem_andColoursFailures() throws {
        let web = try conversation(1) {
            $0.relay = "web"
            $0.reason = "connect_refused"
        }
        let database = try conversation(2) {
            $0.relay = "db"
            $0.reason = "client_closed"
        }
        let both = lines([web, database], columns: nil, showsColor: true)
        #expect(both[0].hasPrefix("\u{1B}[1mID\u{1B}[0m  \u{1B}[1mTIME\u{1B}[0m                      \u{1B}[1mRELAY"))
        #expect(both[1].hasPrefix(" \u{1B}[1m1\u{1B}[0m  2026-"))
        #expect(both[1].contains("  web    10.0.0.1:40000  ") && both[1].contains("\u{1B}[31mconnect_refused\u{1B}[0m"))
        #expect(both[2].contains("  db     ") && both[2].contains("  client_closed  "))
        // The styles take no columns.
        #expect(both.map(\.withoutStyles) == lines([web, database], columns: nil))
        for columns in [60, 80, 120] {
            let plain = lines([web, database], columns: columns)
            #expect(!plain.joined().contains("\u{1B}"))
            #expect(lines([web, database], columns: columns, showsColor: true).map(\.withoutStyles) == plain)
        }
        #expect(!lines([web], columns: nil)[0].contains("RELAY"))
        let narrow = lines([web, database], columns: 80)
        #expect(narrow.count == 4 && narrow[0].contains(" → web → "))
    }

    @Test(arguments: [
        ("id", [1, 2, 3]), ("-id", [3, 2, 1]), ("bytes", [2, 3, 1]), ("-bytes", [1, 3, 2]), ("duration", [3, 2, 1]),
        ("start", [2, 1, 3]), ("client", [3, 1, 2]), ("bytes_down", [1, 2, 3]),
    ])
    func sort_ordersTheLines(key: String, expected: [Int]) throws {
        let bytes: [UInt64] = [1, 3, 2]
        let starts: [Int64] = [5, 0, 9]
        let clients = ["b", "c", "a"]
        let all = try (0..<3).map { index in
            try conversation(UInt64(index + 1)) {
                $0.up.recorded = bytes[index]
                $0.started = Timestamp(nanoseconds: Self.start.nanoseconds + starts[index])
                $0.ended = Timestamp(nanoseconds: $0.started.nanoseconds + Int64(index))
                $0.client = clients[index]
            }
        }
        let sort = try #require(ShowSort(parsing: key))
        let sorted = lines(all, columns: nil, order: SummaryView.Order(sort: sort, isRequested: true))
        #expect(sorted.dropFirst().compactMap { Int($0.prefix(2).trimmingPrefix(" ")) } == expected)
        #expect(ShowSort(parsing: "rate") == nil)
    }

    // MARK: Choosing

    @Test func ends_areMatchedByWordsSideAndReason() throws {
        let reset = try conversation(1) {
            $0.relay = "web"
            $0.reason = "upstream_reset"
            $0.up.prefix = Array("GET /a HTTP/1.1\r\n".utf8)
        }
        for words in ["WEB", "10.0.0.1:4", "reset", "get /A", "upstream"] {
            #expect(EndFilter(words: words).matches(reset), "\(words)")
        }
        #expect(!EndFilter(words: "other").matches(reset))
        #expect(EndFilter(closedBy: "upstream").matches(reset) && !EndFilter(closedBy: "client").matches(reset))
        #expect(EndFilter(reason: "upstream_reset").matches(reset) && !EndFilter(reason: "reset").matches(reset))
        var filter = ShowFilter(ends: EndFilter(words: "other"))
        _ = filter.includes(.opened(reset))
        let isShown = filter.includes(.ended(reset))
        #expect(!isShown && filter.mismatch(in: "a.pcapng") == "no connection in a.pcapng matches --filter other")
        // The second pass shows the conversations that the first pass selected, by their order.
        var second = filter.choosing([2])
        let shown = [RecordingEvent.opened(reset), .ended(reset), .opened(reset), .ended(reset)].map {
            second.includes($0)
        }
        #expect(shown == [false, false, true, true])
    }

    @Test func filter_ofAConnectionThatIsNotThere_saysWhichAre() throws {
        var filter = ShowFilter(connection: 9)
        for id in [1, 2, 3, 7, 5, 6] as [UInt64] {
            let lets = filter.includes(.opened(try conversation(id)))
            #expect(!lets)
        }
        #expect(
            filter.mismatch(in: "a.pcapng") == "no connection 9 in a.pcapng; available: 1 to 3, 5 to 6, 7")
        #expect(
            ShowFilter(connection: 1).mismatch(in: "x") == "no connection 1 in x; there are none")
        #expect(ShowFilter().mismatch(in: "x") == nil)
    }

    @Test func filter_ofARelay_letsOnlyItsConversationsThrough() throws {
        var filter = ShowFilter(relay: "web")
        let web = try conversation(1) { $0.relay = "web" }
        let other = try conversation(2) { $0.relay = "database" }
        var results: [Bool] = []
        for event in [RecordingEvent.opened(web), .opened(other), .ended(other), .ended(web)] {
            results.append(filter.includes(event))
        }
        #expect(results == [true, false, false, true])
        #expect(filter.mismatch(in: "x") == nil)
        var none = ShowFilter(relay: "mail")
        _ = none.includes(.opened(web))
        #expect(none.mismatch(in: "x") == "no relay `mail` in x; its relays: `web`")
    }

    @Test func seenIDs_areBounded() {
        var ids = SeenIDs()
        for id in stride(from: 0, to: 10_000, by: 2) as StrideTo<UInt64> { ids.add(id) }
        ids.add(.max)
        ids.add(.max)
        #expect(ids.description.hasPrefix("available: 0, 2, 4, 6"))
        #expect(ids.description.hasSuffix(" and others"))
    }

    // MARK: Words

    private func remarks(_ packets: [(SkipCause, UInt64)], segments: UInt64 = 9) -> [String] {
        var skipped = SkippedPackets()
        for (cause, count) in packets { skipped.add(cause, packets: count) }
        return SkippedRemarks(skipped, segments: segments).lines
    }

    @Test func remarks_nameWhatIsLeftOut_byKindAndCount() {
        #expect(
            remarks([(.fragment, 1), (.damaged, 2), (.link(9), 7), (.link(4711), 1), (.tunnel(.esp), 3)]) == [
                "7 packets skipped: of link type 9 (PPP), which is not supported",
                "3 packets skipped: in an ESP tunnel",
                "2 packets skipped: damaged",
                "1 packet skipped: fragments of IP packets whose other fragments are missing",
                "1 packet skipped: of link type 4711, which is not supported",
            ])
        #expect(remarks([], segments: 0) == ["no packets"])
        #expect(remarks([]) == [])
    }

    @Test func remarks_sumUpWhatIsNotTCP_alsoWhereThereIsTCP() {
        #expect(
            remarks([(.ipProtocol(17), 5), (.etherType(0x0806), 1), (.ipProtocol(200), 2), (.etherType(0x0BAD), 1)])
                == ["9 packets skipped: not TCP (5 UDP, 2 IP protocol 200, 1 ARP, 1 EtherType 0x0bad)"])
        let many = remarks((100..<110).map { (.ipProtocol($0), 1) }).first ?? ""
        #expect(many.hasPrefix("10 packets skipped: not TCP (1 ") && many.hasSuffix(" and others)"))
    }

    @Test func remarks_countTheBytesOfSegmentsThatBelongNowhere() {
        var skipped = SkippedPackets()
        skipped.add(.afterEnd, bytes: 1)
        skipped.add(.beforeStart, bytes: 700)
        skipped.add(.beforeStart, bytes: 300)
        #expect(
            SkippedRemarks(skipped, segments: 3).lines == [
                "2 packets skipped: 1000 bytes of TCP data before the first byte that is shown",
                "1 packet skipped: 1 byte of TCP data beyond the end of their connections",
            ])
    }
}

/// A conversation as a reader returns it, from a capture with one SYN.
private enum Sample {
    static var conversation: RecordedConversation? {
        let reader = RecordingReader()
        reader.append(capture)
        try? reader.finish()
        while let event = try? reader.next() {
            if case .ended(let conversation) = event { return conversation }
        }
        return nil
    }

    /// A pcap of one packet: raw IPv4, TCP from 10.0.0.1:40000 to 10.0.0.2:80.
    private static var capture: [UInt8] {
        let header: [UInt8] = [0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4] + [UInt8](repeating: 0, count: 14) + [0, 101]
        let packet: [UInt8] =
            [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
            + [0x9C, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]
        return header + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 40] + packet
    }
}
