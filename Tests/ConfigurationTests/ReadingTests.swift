import Sockets
import Testing
import Text

@testable import Configuration

@Suite struct ReadingTests {
    @Test func leastConfiguration_hasTheDefaults() throws {
        let expected = Configuration(relays: [
            RelaySettings(
                name: "web", listen: [.loopback(port: 8080)], upstream: .name("example.com", port: 80))
        ])
        #expect(try read(relay()) == expected)
    }

    @Test func everyKey_isRead() throws {
        let text = """
            admin:
              listen: unix:admin.sock
              token_file: /run/secrets/tapline
              hosts: [tapline.internal, other.internal]
            log:
              level: warning
              format: json
              access: logs/./access.log
            workers: 3
            shutdown: { drain: 250ms }
            loopback_congestion_control: system
            relays:
              - name: web.1_a-b
                listen: [unix:/run//web.sock, "*:8080"]
                mode: 0600
                upstream: 192.0.2.1:80
                timeouts: { connect: 1s, idle: 0, half_close: 2m, lifetime: 24h, wait: 30s }
                max_connections: 7
                record:
                  directory: rec
                  rotate: { size: 64KiB, every: 1m, keep: 2 }
                  max_bytes: 1MB
                  buffer: 1MiB
                  when_full: block
            """
        let record = RecordSettings(
            directory: "/etc/t/rec", rotate: .init(size: 65536, every: .seconds(60), keep: 2), maxBytes: 1_000_000,
            buffer: 1 << 20, whenFull: .block)
        let expected = Configuration(
            admin: AdminSettings(
                listen: .unix(path: "/etc/t/admin.sock", mode: 0o600), tokenFile: "/run/secrets/tapline",
                hosts: ["tapline.internal", "other.internal"]),
            log: LogSettings(level: .warning, format: .json, access: .file("/etc/t/logs/access.log")),
            workers: .exactly(3),
            shutdown: ShutdownSettings(drain: .milliseconds(250)),
            loopbackCongestionControl: .system,
            relays: [
                RelaySettings(
                    name: "web.1_a-b",
                    listen: [.unix(path: "/run/web.sock", mode: 0o600), .everyInterface(port: 8080)],
                    upstream: .address(.ipv4(IPv4Address(bits: 0xC000_0201), port: 80)),
                    timeouts: Timeouts(
                        connect: .seconds(1), idle: .zero, halfClose: .seconds(120), lifetime: .seconds(86_400),
                        wait: .seconds(30)),
                    maxConnections: 7, record: record)
            ])
        #expect(try read(text) == expected)
    }

    @Test func scalars_areReadByTheirText_whateverYAMLGuesses() throws {
        let configuration = try read("log: { access: off }\nworkers: \"2\"\n" + relay("max_connections: '0042'"))
        #expect(configuration.log.access == .off)
        #expect(configuration.workers == .exactly(2))
        #expect(configuration.relays[0].maxConnections == 42)
        #expect(try read("log: { access: no.log }\n" + relay()).log.access == .file("/etc/t/no.log"))
    }

    @Test func json_isRead_forItIsYAML() throws {
        let text = #"{"workers": "auto", "relays": [{"name": "web", "listen": 8080, "upstream": "example.com:80"}]}"#
        #expect(try read(text) == (try read(relay())))
    }

    @Test(arguments: [
        "\u{FEFF}", "\u{FEFF}---\n", "\u{FEFF}# comment\n---\n", "\u{FEFF}%YAML 1.1\n---\n", "---\n",
        "%YAML 1.1\n---\n",
        "# comment\r\n", "\n\n",
    ])
    func preamble_isAccepted(_ preamble: String) throws {
        for end in ["", "...\n", "...\n# comment\n"] {
            #expect(try read(preamble + relay() + end) == (try read(relay())), "\(end)")
        }
    }

    @Test(arguments: [
        ("0660", 0o660), ("\"0660\"", 0o660), ("660", 0o660), ("0o600", 0o600), ("0777", 0o777), ("000", 0),
    ])
    func mode_isOctal_howeverItIsWritten(_ text: String, _ mode: UInt16) throws {
        let configuration = try read(relay(listen: "unix:/run/a\n    mode: \(text)"))
        #expect(configuration.relays[0].listen == [.unix(path: "/run/a", mode: mode)])
    }

    @Test(arguments: [
        Mistaken(
            "admin: { listen: '*:9180' }\n" + relay(),
            "1:18: `listen`: `*:9180` can be reached from other machines; set "
                + "`token_file`, or TAPLINE_ADMIN_TOKEN in the environment"),
        Mistaken(
            "admin: { listen: x }\n" + relay(listen: "9180"), "1:18: `listen`: `x` has no port; write x:PORT"),
        Mistaken(
            "admin: { hosts: [a b] }\n" + relay(),
            "1:18: `hosts`: `a b` is not a host name; its parts have 1 to 63 letters, digits and inner hyphens"),
        Mistaken(
            relay("record: { rotate: { size: 1, every: 1ms, keep: -1 }, max_bytes: 0, buffer: 2GiB, when_full: wait }"),
            "5:31: `size`: `1` has no unit; write 1KiB, 1MiB, 1GiB",
            "5:41: `every`: a new file every 1ms is too often; write at least 1s",
            "5:52: `keep`: `-1` is not a whole number from 0 to 1000000",
            "5:69: `max_bytes`: `0` is out of range; write a value from 1B to 1024TiB",
            "5:80: `buffer`: `2GiB` is out of range; write a value from 64KiB to 1GiB",
            "5:97: `when_full`: `wait` is not one of drop, block"),
        Mistaken(
            relay("record: { rotate: { size: 1KiB } }"),
            "5:31: `size`: files of 1KiB are too small; write at least 64KiB, or 0 for no limit"),
    ])
    func adminAndRecord_areChecked_beforeTheyWork(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }

    @Test func clients_areNetworks_andTheFractionIsAPart() throws {
        let text = relay(#"record: { clients: [10.0.0.0/8, "2001:db8::/32", 192.0.2.1], fraction: 2.5% }"#)
        let record = try #require(try read(text).relays[0].record)
        #expect(record.clients.map(\.description) == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])
        #expect(record.perMillion == 25_000)
        #expect(try read(relay("record: { fraction: 1 }")).relays[0].record?.perMillion == 1_000_000)
        #expect(try read(relay("record: { fraction: 0.000001 }")).relays[0].record?.perMillion == 1)
        let complaints = mistakes(relay("record: { clients: 10.0.0.1/8, fraction: 0 }"))
        #expect(complaints.count == 2)
        #expect(complaints[0].contains("`10.0.0.1/8` is not a network"), "\(complaints)")
        #expect(complaints[1].contains("`0` is out of range"), "\(complaints)")
        for bad in ["101%", "1.1", "-1", "half", "0.0000001", "%", "1.", ".5", "99999999999999999999"] {
            #expect(mistakes(relay("record: { fraction: '\(bad)' }")).count == 1, "\(bad)")
        }
    }

    @Test func record_hasTheDefaults_whenItIsEmpty() throws {
        let configuration = try read(relay("record: {}"))
        #expect(configuration.relays[0].record == RecordSettings(directory: "/etc/t/recordings"))
    }

    @Test func recordSettings_ofARequest_changeWhatTheyName() throws {
        func parse(_ text: String, _ base: RecordSettings? = nil) throws -> RecordSettings {
            try RecordSettings.parse(Array(text.utf8), changing: base, directory: "/srv")
        }
        #expect(try parse("{}") == RecordSettings(directory: "/srv/recordings"))
        let base = RecordSettings(
            directory: "/var/r", rotate: .init(size: 1 << 20, keep: 3), maxBytes: 5, whenFull: .block)
        #expect(try parse("{}", base) == base)
        var changed = base
        changed.rotate.keep = 9
        changed.buffer = 1 << 20
        #expect(try parse("{\"rotate\": {\"keep\": 9}, \"buffer\": \"1MiB\"}", base) == changed)
        #expect(try parse("{\"directory\": \"here\"}", base).directory == "/srv/here")
        let mistake = #expect(throws: ConfigurationErrors.self) { try parse("{\"bufer\": \"${HOME}\"}") }
        #expect(mistake?.description == "request:1:2: unknown key `bufer`; did you mean `buffer`?")
        for text in ["", "[]", "5", "{\"buffer\": \"${HOME}\"}", "{", "\u{0}"] {
            #expect(throws: ConfigurationErrors.self, "\(text)") { try parse(text) }
        }
    }

    @Test func adminOffLoopback_needsATokenFromSomewhere() throws {
        let text = "admin: { listen: '*:9180' }\n" + relay()
        #expect(try read(text, environment: ["TAPLINE_ADMIN_TOKEN": "secret-token"]).admin?.listen.port == 9180)
        #expect(try read("admin: { listen: '*:9180', token_file: t }\n" + relay()).admin?.tokenFile != nil)
        #expect(!mistakes(text).isEmpty)
    }

    @Test(arguments: ["", " \n"]) func adminOffLoopback_withAnEmptyVariable_isRefusedAsWithout(_ value: String) {
        let text = "admin: { listen: '*:9180' }\n" + relay()
        #expect(mistakes(text, environment: ["TAPLINE_ADMIN_TOKEN": value]) == mistakes(text))
    }

    @Test(arguments: ["short", "good token 1234", "tökens-1234", "good-token-\u{1}1234"])
    func adminOffLoopback_withAVariableThatIsNoToken_isRefusedWithTheReason(_ value: String) {
        let found = mistakes(
            "admin: { listen: '*:9180' }\n" + relay(), environment: ["TAPLINE_ADMIN_TOKEN": value])
        #expect(
            found == [
                "1:18: `listen`: `*:9180` can be reached from other machines and needs a token, but "
                    + "`TAPLINE_ADMIN_TOKEN` in the environment is not a token; a token is 8 to 1024 printable ASCII "
                    + "characters without spaces; set a valid one, or unset it"
            ])
    }
}
