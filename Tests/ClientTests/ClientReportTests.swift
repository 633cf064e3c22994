import Configuration
import Terminal
import Testing
import Text

@testable import Client

/// The client commands' output for the API's objects.
struct ClientReportTests {
    private func json(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

    private static let plain = ClientOutput(
        columns: nil, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .utc)
    private let target = AdminTarget(address: .tcp(host: "127.0.0.1", port: 9180), origin: .byDefault, token: nil)

    @Test func status_ofAHealthyTapline_warnsOfNothing() throws {
        let report = StatusReport(
            status: try json(#"{"draining":false,"last_reload":null,"descriptors":{"open":10,"limit":1000}}"#),
            relays: [try json(#"{"name":"web","open":1,"accept_pauses":0,"limits":{"max_connections":10}}"#)],
            target: target)
        #expect(report.warnings(.utc).isEmpty && report.failures.isEmpty)
    }

    @Test(
        arguments: [
            (
                #"{"file":"/etc/s.pem","kind":"certificate","expires_in_s":3715200}"#, nil,
                "s.pem (web) expires in 43 days"
            ),
            (
                #"{"file":"/etc/s.pem","kind":"certificate","expires_in_s":1209600}"#, nil,
                "s.pem (web) expires in 14 days"
            ),
            (
                #"{"file":"/etc/s.pem","kind":"certificate","expires_in_s":1209599}"#,
                "web: /etc/s.pem expires in 13 days; after that, its peers refuse it", "s.pem (web) expires in 13 days"
            ),
            (
                #"{"file":"/etc/c.pem","kind":"authority","expires_in_s":18000}"#,
                "web: /etc/c.pem expires in 5 hours; after that, the certificates of its authorities are refused",
                "c.pem (web) expires in 5 hours"
            ),
            (
                #"{"file":"/etc/l.pem","kind":"crl","expires_in_s":0}"#,
                "web: /etc/l.pem has expired; every client certificate is refused", "l.pem (web) has expired"
            ),
        ] as [(String, String?, String)])
    func certificates_areALine_andAWarningTwoWeeksBefore(file: String, warning: String?, line: String) throws {
        let report = StatusReport(
            status: try json(#"{"last_reload":null}"#),
            relays: [try json(#"{"name":"web","certificates":[\#(file)]}"#)], target: target)
        #expect(report.warnings(.utc) == [warning].compactMap(\.self))
        #expect(report.facts(.utc).contains { $0 == ("certificates", line) })
    }

    @Test func certificates_areCounted_andTheFirstToExpireIsNamed() throws {
        let files = (1...3).map {
            #"{"file":"/etc/\#($0).pem","kind":"certificate","expires_in_s":\#($0 * 10_000_000)}"#
        }
        let relays = [
            try json(#"{"name":"web","certificates":[\#(files[1]),\#(files[2])]}"#),
            try json(#"{"name":"db","certificates":[\#(files[0]),\#(files[1])],"tls_unverified":true}"#),
        ]
        let report = StatusReport(status: try json(#"{"last_reload":null}"#), relays: relays, target: target)
        #expect(
            report.facts(.utc).contains { $0 == ("certificates", "3 files, first: 1.pem (db) expires in 115 days") })
        #expect(
            report.warnings(.utc) == [
                "db: upstream_tls.verify is off: any machine on the way can pretend to be the upstream"
            ])
    }

    /// The counters of a process start with it, and a person may know of no upgrade.
    @Test func status_afterAnUpgrade_saysSinceWhenItCounts() throws {
        let text = #"{"upgraded":"2026-11-23T00:26:07.925Z","last_reload":null,"uptime_ms":61000}"#
        let relays = [
            try json(#"{"name":"web","configured":true,"accepted":3}"#),
            // Of the older process, which counts it.
            try json(#"{"name":"old","configured":false,"process":9365,"accepted":40,"open":1}"#),
        ]
        let output = ClientOutput(
            columns: nil, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .utc)
        func screen(_ status: String) throws -> String {
            StatusReport(status: try json(status), relays: relays, target: target).lines(output)
                .joined(separator: "\n")
        }
        let after = try screen(text)
        #expect(after.contains("0 open, 3 accepted since the upgrade at 00:26:07 UTC; "), "\(after)")
        #expect(after.contains("old (in 9365)"))
        #expect(try screen(#"{"upgraded":null}"#).contains("0 open, 3 accepted; "))
    }

    @Test func connections_ofAProcessThatDoesNotAnswer_areSaidToBeMissing() throws {
        let silent = try json(#"[{"pid":12,"trouble":"it does not answer"},{"pid":13,"trouble":"else"}]"#).elements
        #expect(
            PredecessorText.unanswered(silent) == [
                "process 12, from before the upgrade, does not answer; its connections are not listed",
                "the connections of process 13, from before the upgrade, cannot be listed",
            ])
        // A warning takes a line of the terminal, and is no connection.
        let lines = ["warning", "ID", "1", "2", "3", "4"]
        #expect(
            ConnectionList.fit(lines, of: 4, after: 1, into: 5, Self.plain) == ["warning", "ID", "1", "and 3 more"])
    }

    /// Numbers come from a server, which may be anything.
    @Test func numbers_ofAnySize_areShown() {
        #expect(Words.age(.max) == "106751d23h" && Words.duration(.max) == "106751d23h")
        #expect(Words.trip(.max) == "106751d23h" && Words.size(.max) == "16.0 EiB")
        #expect(Words.age(18_446_744_073_710) == "106751d23h" && Words.duration(18_446_744_073_710) == "106751d23h")
        let bar = Bars.bar(.max, of: 1, columns: 10, TerminalTraits(showsColor: false, showsUnicode: false))
        #expect(bar == "##########")
    }

    @Test(arguments: [0, 25_000, UInt64(Int64.max), .max]) func timeToWait_isBounded(milliseconds: UInt64) {
        let bound = EndWait.bound(milliseconds)
        let longest = DurationText.longest + EndWait.allowance
        #expect(bound == min(.milliseconds(Int64(clamping: milliseconds)) + EndWait.allowance, longest))
        #expect(bound.milliseconds == min(milliseconds, 31_536_000_000) + 10_000)
    }

    @Test(
        arguments: [
            (1, []), (2, []), (3, ["ID"]), (4, ["ID", "1"]), (5, ["ID", "1", "2"]),
        ] as [(Int, [String])])
    func connections_onATerminalOfAnySize_areCut(rows: Int, shown: [String]) {
        let lines = ["ID", "1", "2", "3", "4"]
        let rest = 4 - max(0, shown.count - 1)
        #expect(ConnectionList.fit(lines, of: 4, into: rows, Self.plain) == shown + ["and \(rest) more"])
    }

    @Test func status_warnsOfWhatNeedsAttention() throws {
        let report = StatusReport(
            status: try json(
                """
                {"draining":true,"open_connections":1,"generation":3,"descriptors":{"open":950,"limit":1000},
                "last_reload":{"result":"rejected","source":"file","time":"2026-11-23T00:26:07.925Z",
                "problems":[{"path":"/etc/t.yaml","line":3,"column":5,"message":"unknown key `x`"}]}}
                """),
            relays: [
                try json(#"{"name":"web","open":10,"accept_pauses":1,"limits":{"max_connections":10}}"#),
                try json(
                    """
                    {"name":"db","open":1,"accept_pauses":2,"recording":{"dropped_bytes":2048,"trouble":"no space left"}}
                    """),
            ], target: target)
        #expect(
            report.warnings(.utc) == [
                "draining: no new clients are accepted, and 1 connection may finish",
                "the last reload (00:26:07 UTC, the file changed) was rejected; generation 3 stays active",
                "/etc/t.yaml:3:5: unknown key `x`",
                "950 of 1000 descriptors are in use; accepting pauses before they run out",
                "web: accepting is paused at 10 connections (max_connections); new clients wait",
                "db: accepting has paused 2 times", "db: the recording cannot be written: no space left",
                "db: the recording has lost 2.00 KiB",
            ])
    }

    @Test(arguments: [5, 7]) func mistakesThatAreNotShown_areCounted(count: Int) throws {
        let problem = #"{"path":"t.yaml","line":3,"column":5,"message":"unknown key `x`"}"#
        let problems = Array(repeating: problem, count: count).joined(separator: ",")
        let report = StatusReport(
            status: try json(#"{"last_reload":{"result":"rejected","source":"file","problems":[\#(problems)]}}"#),
            relays: [], target: target)
        let last = count > 5 ? "and 2 more in the file" : "t.yaml:3:5: unknown key `x`"
        #expect(report.warnings(.utc).last == last && report.warnings(.utc).count == (count > 5 ? 7 : 6))
    }

    /// A cut number would be a wrong one.
    @Test(arguments: [40, 80]) func status_isBrokenBetweenWords(columns: Int) throws {
        let report = StatusReport(
            status: try json(
                """
                {"draining":true,"open_connections":1,"workers":2,"descriptors":{"open":72,"limit":20000},
                "memory":{"resident_bytes":19000000,"private_bytes":2400000}}
                """),
            relays: [], target: target)
        let output = ClientOutput(
            columns: columns, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .utc)
        let lines = report.lines(output)
        #expect(lines.allSatisfy { $0.count <= columns && !$0.contains("…") })
        let text = lines.joined(separator: " ").replacing(#/ +/#, with: " ")
        #expect(text.contains("2 workers, 72 of 20000 descriptors") && text.contains("and 1 connection may finish"))
    }

    @Test(
        arguments: [
            (
                "connect_refused", "web: upstream refuses connections: 269 of 270 connects in the last 5 min failed",
                "269/270 refused"
            ),
            (
                "connect_timeout", "web: upstream does not answer: 269 of 270 connects in the last 5 min failed",
                "269/270 timed out"
            ),
            (
                "name_not_found",
                "web: the upstream's name does not exist: 269 of 270 connects in the last 5 min failed",
                "269/270 no address"
            ),
            (
                "tls_certificate_refused",
                "web: TLS with the upstream fails (a certificate is refused): 269 of 270 connects in the last 5 min failed",
                "269/270 without TLS"
            ),
            (
                "something_new", "web: connecting to the upstream fails: 269 of 270 connects in the last 5 min failed",
                "269/270 failed"
            ),
        ])
    func status_beginsWithRelaysWhoseConnectsFail(reason: String, sentence: String, ratio: String) throws {
        let relay = try json(
            """
            {"name":"web","recent_connects":{"window_ms":300000,"attempts":270,"failed":269,"failing":true,
            "last_failure":"\(reason)"}}
            """)
        let report = StatusReport(status: try json(#"{"draining":true}"#), relays: [relay], target: target)
        #expect(report.failures == [sentence] && FailingRelay(relay).ratio == ratio)
        let output = ClientOutput(
            columns: 120, terminal: TerminalTraits(showsColor: true, showsUnicode: true), zone: .utc)
        let lines = report.lines(output)
        #expect(lines[1] == "\u{1B}[31;1mfailing: \(sentence)\u{1B}[0m" && lines[2].contains("warning: draining"))
        #expect(lines.last?.hasPrefix("\u{1B}[31;1mweb") == true)
    }

    @Test(arguments: [(1, "the only connect"), (3, "all 3 connects")])
    func connectsThatAllFailed_areSaidSo(count: Int, words: String) throws {
        let relay = try json(
            """
            {"name":"web","recent_connects":{"window_ms":300000,"attempts":\(count),"failed":\(count),"failing":true,
            "last_failure":"connect_refused"}}
            """)
        #expect(FailingRelay(relay).sentence == "upstream refuses connections: \(words) in the last 5 min failed")
    }

    @Test func relayThatFailedBefore_isNoWarning() throws {
        let relay = try json(
            #"{"name":"web","recent_connects":{"attempts":9,"failed":3,"failing":false,"last_failure":"connect_refused"}}"#
        )
        let report = StatusReport(status: .null, relays: [relay], target: target)
        #expect(report.failures.isEmpty && FailingRelay(relay).ratio == "3/9 failed")
    }

    private func lines(_ relays: [String], columns: Int?) throws -> [String] {
        let output = ClientOutput(
            columns: columns, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .utc)
        return StatusReport(status: .null, relays: try relays.map(json), target: target).lines(output)
    }

    @Test func recordingsPath_isCutInTheMiddle_whereTheWidthIsLimited() throws {
        let relay = """
            {"name":"web","configured":true,"upstream":"db:1","recording":{"recording":true,"recorded_bytes":2048,
            "file":"/var/lib/tapline/recordings/of/this/machine/web-20261130T090000Z.pcapng"}}
            """
        let row = try lines([relay], columns: 140).last
        #expect(row?.hasSuffix("2.00 KiB  /var/…/web-20261130T090000Z.pcapng") == true, "\(row ?? "")")
        let narrow = try lines([relay], columns: 80)
        #expect(narrow.last?.hasSuffix("2.00 KiB") == true && narrow.allSatisfy { $0.count <= 80 }, "\(narrow)")
        let full = try lines([relay], columns: nil).last
        #expect(full?.hasSuffix("/recordings/of/this/machine/web-20261130T090000Z.pcapng") == true)
        let idle = try lines([#"{"name":"web","recording":{"recording":false}}"#], columns: 140)
        #expect(idle.suffix(2).first?.hasSuffix("RECORDED") == true && idle.last?.hasSuffix("-") == true)
    }

    @Test(
        arguments: [
            ("/a/b.pcapng", 36, "/a/b.pcapng"), ("/home/user/recordings/web.pcapng", 24, "/home/user/…/web.pcapng"),
            ("/home/user/recordings/web.pcapng", 4, "…/web.pcapng"), ("web.pcapng", 4, "web.pcapng"),
            ("recordings/of/web.pcapng", 20, "…/web.pcapng"),
        ])
    func path_keepsItsFileName(_ path: String, _ columns: Int, _ shown: String) {
        #expect(PathText.shortened(path, to: columns, showsUnicode: true) == shown)
    }

    @Test func relaysOfForward_areShownWithTheirUpstreams() throws {
        let relay = #"{"name":"8080","configured":true,"listeners":["127.0.0.1:8080"],"upstream":"localhost:8000"}"#
        let second = #"{"name":"8080-2","configured":true,"listeners":["[::1]:8080"],"upstream":"localhost:9000"}"#
        let rows = try lines([relay, second], columns: 120).suffix(3)
        #expect(rows.first?.contains("UPSTREAM") == false)
        #expect(rows.dropFirst().first?.hasPrefix("8080 → localhost:8000    127.0.0.1:8080  ") == true, "\(rows)")
        #expect(rows.last?.hasPrefix("8080-2 → localhost:9000  [::1]:8080") == true, "\(rows)")
        // Next to named relays, the upstream has its own column.
        let named = #"{"name":"db","configured":true,"listeners":["127.0.0.1:1"],"upstream":"db:5432"}"#
        let mixed = try lines([relay, named], columns: 120).suffix(2)
        #expect(mixed.first?.hasPrefix("8080   127.0.0.1:8080  localhost:8000") == true, "\(mixed)")
        let failing = #"{"name":"8080","upstream":"localhost:8000","recent_connects":{"failing":true}}"#
        #expect(try lines([failing], columns: 120)[1].hasPrefix("failing: 8080 → localhost:8000: connecting"))
    }

    @Test func tls_isMarkedBeforeTheAddresses() throws {
        let relay =
            #"{"name":"web","upstream":"db:5432","listeners":["[::1]:1","127.0.0.1:1"],"tls":true,"upstream_tls":true}"#
        let row = try #require(try lines([relay], columns: 160).last)
        #expect(row.contains("tls [::1]:1, tls 127.0.0.1:1  tls db:5432"), "\(row)")
        #expect(try lines([relay], columns: 80).allSatisfy { $0.count <= 80 })
        let named = #"{"name":"8443","upstream":"a:1","listeners":[],"tls":true,"upstream_tls":true}"#
        #expect(RelayLabel.text(of: try json(named)) == "tls 8443 → tls a:1")
    }

    @Test func upstreamProxy_isShown() throws {
        let relay = #"{"name":"web","upstream":"db:5432","upstream_proxy":"socks5://proxy:1080","listeners":[]}"#
        #expect(try lines([relay], columns: 120).last?.contains("db:5432 via socks5://proxy:1080") == true)
        let connection = """
            {"id":7,"relay":"web","state":"open","client":"c:1","listener":"l:2","upstream":"db:5432",
            "upstream_proxy":"proxy:1080","upstream_address":"10.0.0.1:1080"}
            """
        let lines = ConnectionReport(try json(connection)).lines(within: 120, showsUnicode: true)
        #expect(lines.contains("path         c:1 → l:2 → proxy proxy:1080 (10.0.0.1:1080) → db:5432"), "\(lines)")
    }

    @Test func endedConnection_namesTheSideThatDidNotRead_inLocalTime() throws {
        let ended = try json(
            """
            {"id":7,"relay":"web","state":"closed","story":["It ended at 2026-11-23T00:26:07.925Z."],"reason":"killed",
            "closed_by":"tapline","time":"2026-11-23T00:26:07.925Z","waited_for":"client","held_bytes":1048576,"waited_ms":2000}
            """)
        let lines = ConnectionReport(ended, zone: .offset(3600)).lines(within: 120, showsUnicode: true)
        #expect(lines.contains("It ended at 2026-11-23 01:26:07.925."))
        #expect(lines.contains("ended        2026-11-23 01:26:07.925, killed, by tapline"))
        #expect(lines.contains("waited for   client, which read nothing for 2.00 s; 1.00 MiB held for it"))
        let output = ClientOutput(
            columns: nil, terminal: TerminalTraits(showsColor: false, showsUnicode: true), zone: .offset(3600))
        let row = ConnectionTable([ended], areClosed: true).lines(output)[1]
        #expect(row.contains("01:26:07") && row.hasSuffix("killed  client reads 2s"))
    }

    @Test func heldConnection_hasTheTimeAndTheAttempts() throws {
        let ended = try json(
            #"{"id":7,"state":"closed","connect_ms":12034,"first_byte_ms":12040,"age_ms":12050,"held_ms":12000,"attempts":26}"#
        )
        let took = ConnectionReport(ended).lines(within: 120, showsUnicode: true).first { $0.hasPrefix("took") }
        let words = "12.0 s to connect in 26 attempts (the client was held for 12.0 s), "
        #expect(took?.contains(words) == true, "\(took ?? "")")
        let plain = try json(#"{"id":7,"state":"closed","connect_ms":34,"held_ms":null,"attempts":1}"#)
        let line = ConnectionReport(plain).lines(within: 120, showsUnicode: true).first { $0.hasPrefix("took") }
        // Times that were not reached are left out.
        #expect(line == "took         34 ms to connect")
    }

    @Test func reload_tellsTheDifference() throws {
        let answer = try json(
            """
            {"result":"applied","generation":4,"summary":"","difference":{"added":["cache"],"removed":["old"],
            "renamed":[{"old":"a","new":"b"}],
            "changed":[{"relay":"web","settings":[{"key":"timeouts.idle","old":"1h","new":"10m","content":null},
            {"key":"tls.certificates","old":"/a.crt","new":"/a.crt","content":"a.crt (renewed: expires B, was A)"}]}],
            "listeners":{"added":[{"address":"127.0.0.1:1","relay":"cache"}],"removed":[],
            "moved":[{"address":"127.0.0.1:2","from":"a","to":"b"}]},
            "settings":[],"needs_restart":[{"key":"workers","old":"auto","new":"2"}]}}
            """)
        #expect(
            DifferenceText.lines(of: answer) == [
                "generation 4 is active", "  added relay cache", "  removed relay old; its open connections may finish",
                "  renamed relay a to b", "  web: timeouts.idle 1h → 10m",
                "  web: tls.certificates: a.crt (renewed: expires B, was A)", "  listens on 127.0.0.1:1 for cache",
                "  127.0.0.1:2 moved from a to b", "  needs a restart: workers auto → 2",
            ])
    }

    @Test func reload_withoutADifference_saysSo() throws {
        #expect(
            DifferenceText.lines(of: try json(#"{"result":"unchanged","generation":4}"#)) == [
                "configuration unchanged; generation 4 stays active"
            ])
        let later = try json(
            """
            {"result":"unchanged","generation":4,"difference":{"needs_restart":[{"key":"workers","old":"auto","new":"2"}]}}
            """)
        #expect(
            DifferenceText.lines(of: later) == [
                "nothing reloaded; generation 4 stays active", "  needs a restart: workers auto → 2",
            ])
    }

    @Test func story_isWrappedToTheWidth() throws {
        let report = ConnectionReport(
            try json(
                """
                {"id":7,"relay":"web","state":"closed","story":["The client reset the connection after 12 bytes."],
                "client":"1.2.3.4:5","listener":"a","upstream":"b:1","upstream_address":"10.0.0.1:1","reason":"client_reset",
                "closed_by":"client","errno":"ECONNRESET","time":"2026-11-23T00:26:07.925Z","bytes_up":12,"bytes_down":0}
                """))
        let lines = report.lines(within: 30, showsUnicode: true)
        #expect(lines.first == "connection 7 of web, closed")
        #expect(lines.contains("The client reset the"))
        #expect(lines.contains { $0.hasPrefix("ended        2026-11-23") })
        #expect(lines.contains("             client_reset"))
        #expect(lines.allSatisfy { $0.count <= 38 })
    }

    @Test(arguments: [("web", true), ("10.0", true), ("RESET", true), ("7", true), ("70", false), ("nothing", false)])
    func filter_looksAtWhatAConnectionIsFoundBy(text: String, matches: Bool) throws {
        let connection = try json(
            #"{"id":7,"relay":"web","client":"10.0.0.1:5","reason":"client_reset","bytes_up":70}"#)
        #expect(ConnectionTable.matches(connection, text) == matches)
    }
}
