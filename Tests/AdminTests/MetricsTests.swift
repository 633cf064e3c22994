import Configuration
import Relay
import Testing
import Text

@testable import Admin

/// The text of `/metrics`.
struct MetricsTests {
    private func input(_ relays: [String: RelayStats] = [:], configured: [String] = []) -> MetricsInput {
        let status = ProcessStatus(
            version: "1.2.3", path: nil, directory: "/", configuration: Configuration(relays: []),
            started: Timestamp(nanoseconds: 5_500_000_000))
        return MetricsInput(
            relays: relays, configured: configured,
            recordings: [RecordingState(relay: "web", isRecording: true)],
            facts: status.now, version: status.version, started: status.started.nanoseconds,
            process: ProcessStats())
    }

    private func lines(_ input: MetricsInput) -> [String] {
        String(decoding: MetricsText.make(input), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func everyFigure_isThere() {
        var stats = RelayStats()
        stats.accepted = 9
        stats.ended = [.idleTimeout: 2]
        stats.bytesUp = 5
        stats.recordedBytes = 7
        stats.droppedBytes = 3
        stats.splicedDown = 4
        stats.acceptPauses = 1
        stats.acceptErrors = 2
        stats.connectFailures = [.init(endpoint: "db:1", reason: .connectRefused): 6]
        stats.connectTimes.add(nanoseconds: 2_000_000)
        let lines = lines(input(["web": stats]))
        for line in [
            "tapline_connections_accepted_total{relay=\"web\"} 9", "tapline_connections_open{relay=\"web\"} 7",
            "tapline_connections_ended_total{relay=\"web\",reason=\"idle_timeout\",closed_by=\"tapline\"} 2",
            "tapline_bytes_total{relay=\"web\",direction=\"up\"} 5",
            "tapline_spliced_bytes_total{relay=\"web\",direction=\"down\"} 4",
            "tapline_accept_pauses_total{relay=\"web\"} 1",
            "tapline_accept_errors_total{relay=\"web\"} 2",
            "tapline_connect_failures_total{relay=\"web\",reason=\"connect_refused\",endpoint=\"db:1\"} 6",
            "tapline_connect_seconds_bucket{relay=\"web\",le=\"0.001\"} 0",
            "tapline_connect_seconds_bucket{relay=\"web\",le=\"0.0025\"} 1",
            "tapline_connect_seconds_bucket{relay=\"web\",le=\"+Inf\"} 1",
            "tapline_connect_seconds_sum{relay=\"web\"} 0.002000000", "tapline_connect_seconds_count{relay=\"web\"} 1",
            "tapline_recording{relay=\"web\"} 1", "tapline_recorded_bytes_total{relay=\"web\"} 7",
            "tapline_recording_dropped_bytes_total{relay=\"web\"} 3", "tapline_config_generation 1",
            "tapline_config_reloads_total{result=\"rejected\"} 0", "tapline_build_info{version=\"1.2.3\"} 1",
            "process_start_time_seconds 5.500000000", "process_open_fds 0",
            "tapline_clients_held 0",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test func expiriesOfFiles_areSecondsSince1970_byRelayAndFile() {
        var input = input()
        input.expiries = [
            ("web", TLSExpiry(file: "/etc/a \"b\".pem", kind: .certificate, seconds: 1_800_000_000)),
            ("db", TLSExpiry(file: "/etc/crl.pem", kind: .revocationList, seconds: -5)),
        ]
        let name = "tapline_tls_certificate_expiry_timestamp_seconds"
        let lines = lines(input).filter { $0.hasPrefix(name) }
        #expect(
            lines == [
                #"\#(name){relay="web",certificate="/etc/a \"b\".pem",kind="certificate"} 1800000000"#,
                #"\#(name){relay="db",certificate="/etc/crl.pem",kind="crl"} 0"#,
            ])
    }

    @Test func endsOfSessions_areCountedBySide() {
        var stats = RelayStats()
        stats.ended = [.tlsFailed: 3]
        stats.endedSessions = [.tlsFailed: [.client: 1, .upstream: 2]]
        let lines = lines(input(["web": stats]))
        for (side, count) in [("client", 1), ("upstream", 2)] {
            let labels = "relay=\"web\",reason=\"tls_failed\",closed_by=\"\(side)\""
            #expect(lines.contains("tapline_connections_ended_total{\(labels)} \(count)"))
        }
        #expect(!lines.contains { $0.contains("tls_failed") && $0.contains("closed_by=\"tapline\"") })
    }

    @Test func lifetimes_beyondTwoToThe64Nanoseconds_areExact() {
        var stats = RelayStats()
        for _ in 0..<3 { stats.lifetimes.add(nanoseconds: .max) }
        let lines = lines(input(["web": stats]))
        #expect(lines.contains("tapline_connection_seconds_sum{relay=\"web\"} 27670116110.564327421"))
        #expect(lines.contains("tapline_connection_seconds_count{relay=\"web\"} 3"))
    }

    @Test func processStatus_ofAnyNumber_isKeptWithinWhatFits() {
        var stats = ProcessStats()
        let most = UInt64.max
        stats.parse(status: "VmRSS:\t\(most) kB\nRssAnon:\t7 kB\nVmSize:\t\(most / 1024 + 1) kB\nThreads:\t\(most)\n")
        #expect(stats.residentBytes == .max && stats.privateBytes == 7168 && stats.virtualBytes == .max)
        #expect(stats.threads == .max)
    }

    @Test func configuredRelays_areThereFromTheStart() {
        #expect(lines(input(configured: ["new"])).contains("tapline_connections_accepted_total{relay=\"new\"} 0"))
    }

    @Test func everyName_isExplainedOnce_andStandsTogether() {
        let lines = lines(input(["a": RelayStats(), "b": RelayStats()]))
        let types = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(types).count == types.count)
        var order: [String] = []
        for line in lines where !line.hasPrefix("#") {
            var name = String(line.prefix { $0 != "{" && $0 != " " })
            for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix("_seconds" + suffix) {
                name.removeLast(suffix.count)
            }
            if order.last != name { order.append(name) }
        }
        #expect(Set(order).count == order.count)
        #expect(order.allSatisfy { types.contains(Substring($0)) })
    }

    /// Noun phrases in sentence case, as Prometheus' own metrics have them.
    @Test func helpTexts_areNounPhrases() {
        let help = lines(input(configured: ["web"])).filter { $0.hasPrefix("# HELP ") }.map {
            $0.split(separator: " ", maxSplits: 3)[3]
        }
        #expect(help.count > 20)
        for text in help {
            #expect(text.hasSuffix(".") && text.first?.isUppercase == true, "\(text)")
            #expect(!["How ", "When ", "The most "].contains { text.hasPrefix($0) }, "\(text)")
            #expect(![" by why", "came to", "that were "].contains { text.contains($0) }, "\(text)")
        }
    }

    @Test func labels_areEscaped() {
        var text = Exposition()
        text.metric("m", .gauge, "a\\b\nc")
        text.sample("m", [("l", "q\"b\\n\n")], -5)
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{l=\"q\\\"b\\\\n\\n\"} -5\n")
    }

    @Test func processStats_areReadFromTheSystemsText() {
        var stats = ProcessStats()
        stats.parse(stat: "1 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 5", ticks: 100)
        stats.parse(status: "Name:\tx\nVmSize:\t  10 kB\nVmRSS:\t 4 kB\nRssAnon:\t 1 kB\nThreads:\t6\n")
        #expect(stats.cpuSeconds == 3)
        #expect(stats.virtualBytes == 10_240 && stats.residentBytes == 4096 && stats.privateBytes == 1024)
        #expect(stats.threads == 6)
        let own = ProcessStats.read(descriptorLimit: 77)
        #expect(own.residentBytes > 0 && own.openDescriptors > 2 && own.threads > 0 && own.descriptorLimit == 77)
    }
}
