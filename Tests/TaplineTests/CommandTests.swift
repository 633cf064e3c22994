import ArgumentParser
import Configuration
import Daemon
import EventLoop
import Glibc
import Sockets
import TLS
import Terminal
import Testing
import Text

@testable import tapline

struct CommandTests {
    @Test func forward_withoutOptions_hasItsOwnDefaults() throws {
        let configuration = try forward("8080:example.com:80", "127.0.0.1:9=unix:/run/app.sock")
        #expect(configuration.log == LogSettings(level: .info, format: .text, access: .standardOutput))
        #expect(configuration.workers == .automatic)
        #expect(configuration.shutdown.drain == .seconds(2))
        #expect(
            configuration.relays.map(\.listen) == [
                [.loopback(port: 8080)], [.address(.ipv4(.loopback, port: 9))],
            ])
        #expect(
            configuration.relays.map(\.upstream) == [
                .name("example.com", port: 80), .address(.unix(path: "/run/app.sock")),
            ])
        for relay in configuration.relays {
            #expect(relay.timeouts == Timeouts(connect: .seconds(5), idle: .zero, halfClose: .seconds(300)))
        }
    }

    @Test func forward_takesItsOptions() throws {
        let configuration = try forward(
            "--connect-timeout", "250ms", "--idle-timeout", "1h", "--workers", "3", "--log-format", "json", "1:a:1")
        #expect(configuration.relays.first?.timeouts.connect == .milliseconds(250))
        #expect(configuration.relays.first?.timeouts.idle == .seconds(3600))
        #expect(configuration.workers == .exactly(3))
        #expect(configuration.log.format == .json)
    }

    @Test func forward_takesThePROXYProtocol() throws {
        let relay = try #require(
            try forward("--accept-proxy", "10.0.0.0/8", "--accept-proxy", "::1", "--send-proxy", "v2", "1:a:1").relays
                .first)
        #expect(relay.proxyProtocol?.accept?.trusted.map(\.description) == ["10.0.0.0/8", "::1"])
        #expect(relay.proxyProtocol?.accept?.timeout == .seconds(3))
        #expect(relay.proxyProtocol?.send == .v2)
        #expect(try forward("--send-proxy", "v1", "1:a:1").relays.first?.proxyProtocol?.accept == nil)
        #expect(try forward("1:a:1").relays.first?.proxyProtocol == nil)
    }

    @Test func forward_withExec_holdsClientsFor30Seconds_byDefault() throws {
        func waits(_ arguments: String...) throws -> [Duration] {
            try #require(Tapline.parseAsRoot(["forward"] + arguments) as? Forward).relayConfiguration().relays
                .map(\.timeouts.wait)
        }
        #expect(try waits("1:a:1") == [.zero])
        #expect(try waits("--exec", "npm start", "1:a:1") == [.seconds(30)])
        #expect(try waits("--exec", "npm start", "--wait", "2m", "1:a:1") == [.seconds(120)])
        #expect(try waits("--wait", "5s", "1:a:1", "2:b:2") == [.seconds(5), .seconds(5)])
    }

    @Test func forward_withPrint_writesEndRecordsToStandardError() throws {
        #expect(try forward("--print", "hex", "1:a:1").log.access == .standardError)
    }

    @Test(arguments: [["--quiet", "1:a:1"], ["--quiet", "--print", "text", "1:a:1"]])
    func forward_quiet_leavesOutEndRecordsAndAllDiagnosticsButErrors(arguments: [String]) throws {
        let log = try #require(Tapline.parseAsRoot(["forward"] + arguments) as? Forward).relayConfiguration().log
        #expect(log.access == .off)
        #expect(log.level == .error)
    }

    @Test(
        arguments: [
            // arguments, what the message must hold
            (["forward"], ["no SPEC given", "8080:example.com:80"]),
            (["forward", "80"], ["`80`", "8080:example.com:80"]),
            (["forward", "8080:example.com:99999"], ["`8080:example.com:99999`", "99999"]),
            (["forward", "1:a:1", "nonsense", "2:b:"], ["`nonsense`", "`2:b:`"]),
            (["forward", "1:a:1", "1:b:1"], ["`1:b:1`", "`1:a:1`"]),
            (["forward", "1:a:1", "--idle-timeout", "5"], ["--idle-timeout", "`5`", "5s"]),
            (["forward", "1:a:1", "--connect-timeout", "soon"], ["--connect-timeout", "`soon`"]),
            (["forward", "1:a:1", "--workers", "0"], ["--workers", "`0`"]),
            (["forward", "1:a:1", "--log-format", "xml"], ["--log-format", "text or json"]),
            (["forward", "1:a:1", "--accept-proxy", "10.0.0.1/8"], ["--accept-proxy", "is not a network"]),
            (["forward", "1:a:1", "--send-proxy", "v3"], ["--send-proxy", "v1", "v2"]),
            (["forward", "1:a:1", "--print", "octal"], ["--print", "`text`", "`hex`"]),
            (["forward", "1:a:1", "--colour"], ["--colour"]),
            (["forward", "1:a:1", "--exec", " "], ["--exec is empty", "npm start"]),
            (["forward", "1:a:1", "2:b:2", "--exec", "x"], ["--exec starts one upstream", "2 SPECs"]),
            (["forward", "1=original-destination", "--exec", "x"], ["--exec", "original-destination"]),
            (["forward", "socks:1", "--exec", "x"], ["--exec", "requested"]),
            (["forward", "1:a:1", "--exec", "x", "--wait", "0"], ["--wait 0", "30s"]),
            (["forward", "1:a:1", "--idle-stop", "10m"], ["--idle-stop", "no --exec", "--exit-idle"]),
            (["forward", "1:a:1", "--exec", "x", "--idle-stop", "10m", "--once"], ["--idle-stop", "--once"]),
            (["forward", "1:a:1", "--wait", "30"], ["--wait", "`30`", "30s"]),
            (["check", "a.yaml", "-c", "b.yaml"], ["`a.yaml`", "`b.yaml`", "different files"]),
            (
                ["forward", "-j", "--log-format", "text", "1:a:1"],
                ["--json means --log-format json; leave one of them out"]
            ),
            (["relay"], ["relay"]),
        ] as [([String], [String])])
    func wrongUsage_isReportedAndEndsWith64(arguments: [String], holds: [String]) throws {
        let error = try #require(throws: (any Error).self) {
            try (Tapline.parsed(arguments) as? Forward)?.check()
        }
        let failure = try #require(Tapline.failure(error, arguments, columns: nil))
        #expect(failure.status == .usage)
        for part in holds { #expect(failure.message.contains(part)) }
    }

    @Test func failures_haveTheirStatusAndWords() {
        let refused = SystemError("listen on 127.0.0.1:80", Errno(EACCES), advice: "it needs CAP_NET_BIND_SERVICE")
        let wrong = ConfigurationErrors([
            ConfigurationProblem(path: "t.yaml", mark: Mark(line: 3, column: 5), message: "second"),
            ConfigurationProblem(path: "t.yaml", mark: Mark(line: 1, column: 2), message: "first"),
        ])
        let failures: [((any Error), CommandFailure)] = [
            (
                refused,
                CommandFailure(
                    .system,
                    "tapline: cannot listen on 127.0.0.1:80: Permission denied (EACCES); it needs CAP_NET_BIND_SERVICE")
            ),
            (wrong, CommandFailure(.configuration, "t.yaml:1:2: first\nt.yaml:3:5: second")),
            (UVError(code: -EMFILE), CommandFailure(.system, "tapline: too many open files (EMFILE)")),
            (CommandFailure(.failure, "so"), CommandFailure(.failure, "so")),
        ]
        for (error, failure) in failures { #expect(CommandFailure(error) == failure) }
    }

    @Test func version_namesTaplineAndLibuv() {
        #expect(Tapline.configuration.version == "tapline \(Version.number) (libuv \(EventLoop.version))")
    }

    @Test func check_summarisesAGoodConfiguration() throws {
        let relays = try forward("8080:example.com:80", "*:9:[::1]:10").relays
        var one = Configuration(relays: Array(relays.prefix(1)))
        func summary(showsUnicode: Bool = false) -> String {
            CheckReport.summary(of: one, path: "t.yaml", showsUnicode: showsUnicode)
        }
        #expect(summary() == "t.yaml: OK, 1 relay\n  8080: localhost:8080 -> example.com:80\n")
        #expect(summary(showsUnicode: true) == "t.yaml: OK, 1 relay\n  8080: localhost:8080 → example.com:80\n")
        one.relays = relays
        #expect(summary().hasPrefix("t.yaml: OK, 2 relays\n"))
        #expect(summary().hasSuffix("\n  9: *:9 -> [::1]:10\n"))
        let narrow = CheckReport.summary(of: one, path: "t.yaml", columns: 24, showsUnicode: false)
        #expect(narrow.contains("\n  8080: localhost:8080\n    -> example.com:80\n"))
    }

    @Test func check_marksTLS() throws {
        var relay = try forward("8080:example.com:80").relays[0]
        func summary() -> String {
            CheckReport.summary(of: Configuration(relays: [relay]), path: "t.yaml", showsUnicode: true)
        }
        relay.tls = TLSSettings(certificates: [])
        relay.upstreamTLS = UpstreamTLSSettings()
        #expect(summary().hasSuffix("\n  8080: tls localhost:8080 → tls example.com:80\n"))
        relay.tls?.session.startTLS = .smtp
        relay.upstreamTLS?.session.startTLS = .postgres
        relay.upstreamTLS?.verify = .off
        #expect(
            summary().hasSuffix(
                "\n  8080: tls localhost:8080, starttls smtp → tls example.com:80, starttls postgres, verify off\n"))
        let object = CheckReport.object(of: Configuration(relays: [relay]), path: "t.yaml")
        #expect(object["relays"].elements[0]["tls"].isTrue && object["relays"].elements[0]["upstream_tls"].isTrue)
    }

    @Test func check_showsTheRoutes() throws {
        var relay = try forward("8080:example.com:80").relays[0]
        relay.tlsRouting = TLSRoutingSettings(
            routes: [
                .init(serverNames: [.exactly("a.example"), .below("b.example")], upstream: .name("a", port: 443)),
                .init(applications: ["h2"]),
            ])
        func summary() -> String {
            CheckReport.summary(of: Configuration(relays: [relay]), path: "t.yaml", showsUnicode: false)
        }
        #expect(
            summary() == """
                t.yaml: OK, 1 relay
                  8080: localhost:8080 -> example.com:80
                    TLS a.example, *.b.example -> a:443
                    TLS ALPN h2 -> example.com:80
                    otherwise -> example.com:80

                """)
        let object = CheckReport.object(of: Configuration(relays: [relay]), path: "t.yaml", warnings: ["w"])
        #expect(
            object.line == #"{"valid":true,"file":"t.yaml","included_files":0,"relays":[{"name":"8080","#
                + #""listen":["localhost:8080"],"upstream":"example.com:80","tls":false,"upstream_tls":false,"tls_routing":{"routes":["#
                + #"{"server_name":["a.example","*.b.example"],"alpn":[],"upstream":"a:443"},"#
                + #"{"server_name":[],"alpn":["h2"],"upstream":"example.com:80"}],"otherwise":"upstream"}}],"#
                + #""warnings":["w"]}"#)
        let text = CheckReport.summary(
            of: Configuration(relays: []), path: "t.yaml", warnings: ["w"], showsUnicode: false)
        #expect(text == "t.yaml: OK, 0 relays\nwarning: w\n")
        relay.tlsRouting?.otherwise = .refuse
        #expect(summary().hasSuffix("\n    otherwise -> refused\n"))
    }

    @Test func environment_holdsWhatGetenvSays() throws {
        let all = ProcessEnvironment.all
        let path = try #require(ProcessEnvironment.value("PATH"))
        #expect(all["PATH"] == path)
        #expect(ProcessEnvironment.value("TAPLINE_NOT_SET") == nil)
    }

    private func forward(_ arguments: String...) throws -> Configuration {
        try #require(Tapline.parseAsRoot(["forward"] + arguments) as? Forward).relayConfiguration()
    }
}
