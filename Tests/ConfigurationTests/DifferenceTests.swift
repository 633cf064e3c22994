import Testing

@testable import Configuration

@Suite struct DifferenceTests {
    /// A relay in one line.
    private static func entry(_ name: String, _ listen: String, _ upstream: String = "a:1", _ more: String = "")
        -> String
    {
        "  - { name: \(name), listen: \(listen), upstream: \"\(upstream)\"\(more.isEmpty ? "" : ", " + more) }\n"
    }

    private static func file(_ relays: [String], _ top: String = "") -> String {
        (top.isEmpty ? "" : top + "\n") + "relays:\n" + relays.joined()
    }

    private func difference(_ old: String, _ new: String) throws -> ConfigurationDifference {
        ConfigurationDifference(from: try read(old), to: try read(new))
    }

    // MARK: Relays

    static let relayTable: [(old: [String], new: [String], words: String)] = [
        ([entry("a", "1")], [entry("a", "1")], "nothing"),
        ([entry("a", "1"), entry("b", "2")], [entry("b", "2"), entry("a", "1")], "nothing"),
        ([entry("a", "[1, 2]")], [entry("a", "[2, 1]")], "nothing"),
        ([entry("a", "1")], [entry("a", "\"localhost:1\"")], "nothing"),
        ([entry("a", "1")], [entry("a", "1"), entry("b", "2")], "added relay b"),
        ([entry("a", "1")], [entry("c", "3"), entry("a", "1"), entry("b", "2")], "added relays c, b"),
        ([entry("a", "1"), entry("b", "2")], [entry("a", "1")], "removed relay b"),
        ([entry("a", "1"), entry("b", "2"), entry("c", "3")], [entry("b", "2")], "removed relays a, c"),
        ([entry("a", "1")], [entry("b", "1")], "renamed relay a to b"),
        (
            [entry("a", "unix:/s", "a:1", "mode: 0600")], [entry("b", "unix:/s")],
            "renamed relay a to b; changed b: mode 0600 → 0660"
        ),
        (
            [entry("a", "1", "a:1", "max_connections: 5")], [entry("b", "1")],
            "renamed relay a to b; changed b: max_connections 5 → 10000"
        ),
        // With another upstream it is another relay, on the address of the old one.
        (
            [entry("a", "127.0.0.1:1", "a:1")], [entry("b", "127.0.0.1:1", "b:1")],
            "added relay b; removed relay a; moved 127.0.0.1:1 from a to b"
        ),
        // Two relays that swap names are not renamed: each name stays with its settings compared.
        (
            [entry("a", "127.0.0.1:1", "x:1"), entry("b", "127.0.0.1:2", "y:1")],
            [entry("a", "127.0.0.1:2", "y:1"), entry("b", "127.0.0.1:1", "x:1")],
            "changed a: listen 127.0.0.1:1 → 127.0.0.1:2, upstream x:1 → y:1; "
                + "changed b: listen 127.0.0.1:2 → 127.0.0.1:1, upstream y:1 → x:1; "
                + "moved 127.0.0.1:2 from b to a, 127.0.0.1:1 from a to b"
        ),
        ([entry("a", "1")], [entry("a", "\"*:1\"")], "changed a: listen localhost:1 → *:1"),
        (
            [entry("a", "[1, unix:/s]")], [entry("a", "[1, unix:/t]")],
            "changed a: listen localhost:1, unix:/s → localhost:1, unix:/t"
        ),
        // Free ports: each relay has its own, and keeps it under another name.
        ([entry("a", "0")], [entry("a", "0"), entry("b", "0")], "added relay b"),
        ([entry("a", "0")], [entry("b", "0")], "renamed relay a to b"),
        ([entry("a", "0"), entry("b", "0")], [entry("d", "0"), entry("c", "0")], "renamed relays a to d, b to c"),
        ([entry("a", "0"), entry("b", "0")], [entry("d", "0")], "renamed relay a to d; removed relay b"),
        // The example of the documents.
        (
            [entry("web", "1"), entry("old", "2", "b:1")],
            [entry("cache", "3"), entry("web", "1", "a:1", "timeouts: { idle: 10m }")],
            "added relay cache; changed web: timeouts.idle 1h → 10m; removed relay old"
        ),
    ]

    @Test(arguments: relayTable.indices)
    func relays_areComparedByName(_ index: Int) throws {
        let row = Self.relayTable[index]
        let difference = try difference(Self.file(row.old), Self.file(row.new))
        #expect(difference.words == row.words)
        #expect(difference.isEmpty == (row.words == "nothing"))
    }

    // MARK: Settings

    /// One row for each key of the configuration: lines of the old file, of the new one, and the setting.
    static let settingTable: [(old: String, new: String, words: String)] = [
        ("log: { level: info }", "log: { level: debug }", "log.level info → debug"),
        ("", "log: { format: json }", "log.format text → json"),
        ("log: { access: off }", "log: { access: a.log }", "log.access off → /etc/t/a.log"),
        ("log: { access: stdout }", "log: { access: stderr }", "log.access stdout → stderr"),
        ("", "shutdown: { drain: 90s }", "shutdown.drain 25s → 90s"),
        ("", "shutdown: { upgrade: 1h }", "shutdown.upgrade 10m → 1h"),
        ("", "loopback_congestion_control: system", "loopback_congestion_control auto → system needs a restart"),
        ("", "admin: {}", "admin none → 127.0.0.1:9180"),
        ("admin: {}", "", "admin 127.0.0.1:9180 → none"),
        ("admin: {}", "admin: { listen: 9999 }", "admin.listen 127.0.0.1:9180 → localhost:9999"),
        ("admin: {}", "admin: { token_file: t }", "admin.token_file none → /etc/t/t"),
        ("admin: {}", "admin: { hosts: [a, b] }", "admin.hosts  → a, b"),
        ("", "workers: 4", "workers auto → 4 needs a restart"),
    ]

    @Test(arguments: settingTable.indices)
    func settings_areComparedOneByOne(_ index: Int) throws {
        let row = Self.settingTable[index]
        let relays = [Self.entry("a", "1")]
        let difference = try difference(Self.file(relays, row.old), Self.file(relays, row.new))
        #expect(difference.words == row.words)
        #expect(difference.settings.count + difference.needsRestart.count == 1)
        #expect(difference.listeners == ConfigurationDifference.Listeners())
    }

    static let relaySettingTable: [(old: String, new: String, words: String)] = [
        ("timeouts: { connect: 1s }", "", "timeouts.connect 1s → 5s"),
        ("", "timeouts: { idle: 0 }", "timeouts.idle 1h → 0s"),
        ("", "timeouts: { half_close: 2m }", "timeouts.half_close 55s → 2m"),
        ("", "timeouts: { lifetime: 1h }", "timeouts.lifetime 0s → 1h"),
        ("", "timeouts: { wait: 30s }", "timeouts.wait 0s → 30s"),
        ("", "max_connections: 7", "max_connections 10000 → 7"),
        ("", "proxy_protocol: { send: v1 }", "proxy_protocol none → send v1"),
        (
            "proxy_protocol: { accept: true, trusted: 10.0.0.1, send: v2 }", "", "proxy_protocol accept, send v2 → none"
        ),
        (
            "proxy_protocol: { send: v1 }", "proxy_protocol: { send: v1, accept: true, trusted: 10.0.0.1 }",
            "proxy_protocol.accept false → true"
        ),
        (
            "proxy_protocol: { accept: true, trusted: 10.0.0.1 }",
            "proxy_protocol: { accept: true, trusted: [10.0.0.0/8, \"::1\"] }",
            "proxy_protocol.trusted 10.0.0.1 → 10.0.0.0/8, ::1"
        ),
        (
            "proxy_protocol: { accept: true, trusted: 10.0.0.1 }",
            "proxy_protocol: { accept: true, trusted: 10.0.0.1, timeout: 0 }", "proxy_protocol.timeout 3s → 0s"
        ),
        ("proxy_protocol: { send: v1 }", "proxy_protocol: { send: v2 }", "proxy_protocol.send v1 → v2"),
        ("interception: { mark: 1 }", "", "interception mark 0x1 → none"),
        (
            "", "interception: { allow: [10.0.0.0/8, \"::1\"], mark: 255 }",
            "interception none → allow 10.0.0.0/8, ::1, mark 0xff"
        ),
        ("interception: { mark: 1 }", "interception: { mark: 0x2 }", "interception.mark 0x1 → 0x2"),
        (
            "interception: { mark: 1 }", "interception: { mark: 1, allow: 10.0.0.1 }",
            "interception.allow none → 10.0.0.1"
        ),
        (
            "", "tls_routing: { routes: [{ server_name: a, upstream: b:1 }, { alpn: h2 }], otherwise: refuse }",
            "tls_routing none → a to b:1; ALPN h2; refuse others"
        ),
        (
            "tls_routing: { routes: [{ alpn: h2 }, { server_name: [a, \"*.b\"], alpn: x }, { server_name: c }] }",
            "tls_routing: { routes: [{ server_name: c }, { server_name: a, alpn: x }, { alpn: h2 }] }",
            "tls_routing.routes a, *.b with ALPN x → a with ALPN x"
        ),
        (
            "tls_routing: { routes: [{ alpn: h2 }] }", "tls_routing: { routes: [{ alpn: h2 }], otherwise: refuse }",
            "tls_routing.otherwise upstream → refuse"
        ),
        (
            "tls_routing: { routes: [{ alpn: h2 }] }", "tls_routing: { routes: [{ alpn: h2 }], timeout: 0 }",
            "tls_routing.timeout 3s → 0s"
        ),
        ("requested: {}", "requested: { timeout: 0 }", "requested.timeout 5s → 0s"),
        ("requested: {}", "requested: { allow: [10.0.0.0/8, 'a:1'] }", "requested.allow none → 10.0.0.0/8, a:1"),
        ("", "requested: { allow: '[::1]:1' }", "requested none → allow [::1]:1, timeout 5s"),
        ("", "upstream_proxy: socks5://p:1080", "upstream_proxy none → socks5://p:1080"),
        (
            "upstream_proxy: http://p:1", "upstream_proxy: http://u:secret@p:1",
            "upstream_proxy http://p:1 → http://p:1 (with credentials)"
        ),
        ("", "upstream_tls: { verify: off }", "upstream_tls none → verify off"),
        (
            "upstream_tls: { verify: off }", "upstream_tls: { verify: off, minimum: '1.3' }",
            "upstream_tls.minimum 1.2 → 1.3"
        ),
        ("upstream_tls: { verify: off }", "upstream_tls: { verify: off, alpn: h2 }", "upstream_tls.alpn none → h2"),
        (
            "upstream_tls: { verify: off }", "upstream_tls: { verify: off }, tls_keylog: true",
            "tls_keylog false → true"
        ),
        (
            "upstream_tls: { verify: off }, record: {}",
            "upstream_tls: { verify: off }, record: { encrypted: true }", "record.encrypted false → true"
        ),
        ("", "record: {}", "record none → /etc/t/recordings"),
        ("record: {}", "", "record /etc/t/recordings → none"),
        ("record: {}", "record: { directory: /r }", "record.directory /etc/t/recordings → /r"),
        ("record: {}", "record: { rotate: { size: 1MiB } }", "record.rotate.size 100MiB → 1MiB"),
        ("record: {}", "record: { rotate: { every: 2m } }", "record.rotate.every 1h → 2m"),
        ("record: {}", "record: { rotate: { keep: 1 } }", "record.rotate.keep 24 → 1"),
        ("record: { max_bytes: 1MB }", "record: {}", "record.max_bytes 1MB → none"),
        ("record: {}", "record: { buffer: 1MiB }", "record.buffer 16MiB → 1MiB"),
        ("record: {}", "record: { when_full: block }", "record.when_full drop → block"),
        ("record: {}", "record: { clients: 10.0.0.0/8 }", "record.clients none → 10.0.0.0/8"),
        ("record: {}", "record: { fraction: 0.125 }", "record.fraction 100% → 12.5%"),
    ]

    @Test(arguments: relaySettingTable.indices)
    func settingsOfARelay_areComparedOneByOne(_ index: Int) throws {
        let row = Self.relaySettingTable[index]
        let upstream =
            row.words.hasPrefix("interception")
            ? "original-destination" : row.words.hasPrefix("requested") ? "requested" : "a:1"
        let difference = try difference(
            Self.file([Self.entry("a", "1", upstream, row.old)]), Self.file([Self.entry("a", "1", upstream, row.new)]))
        #expect(difference.words == "changed a: " + row.words)
        #expect(difference.changed.map(\.settings.count) == [1])
    }

    @Test func everyKey_isInATable() {
        let words = (Self.settingTable + Self.relaySettingTable).map { $0.words.prefix { $0 != " " } }
        func expect<Key: ConfigurationKey>(_: Key.Type, _ prefix: String, except: Set<String> = []) {
            for key in Key.allCases where !except.contains(key.rawValue) {
                #expect(words.contains { $0 == prefix + key.rawValue }, "\(prefix)\(key.rawValue)")
            }
        }
        // The position of a relay is not a setting.
        expect(RootKey.self, "", except: ["log", "shutdown", "include", "relays"])
        expect(LogKey.self, "log.")
        expect(ShutdownKey.self, "shutdown.")
        expect(AdminKey.self, "admin.")
        // These keys are in the table of relays.
        expect(RelayKey.self, "", except: ["name", "listen", "mode", "upstream", "timeouts", "tls"])
        expect(TimeoutsKey.self, "timeouts.")
        expect(ProxyProtocolKey.self, "proxy_protocol.")
        expect(InterceptionKey.self, "interception.")
        expect(TLSRoutingKey.self, "tls_routing.")
        expect(RequestedKey.self, "requested.")
        expect(RecordKey.self, "record.", except: ["rotate"])
        expect(RotateKey.self, "record.rotate.")
    }

    @Test func settingsThatNeedARestart_areListedTogether() throws {
        let relays = [Self.entry("a", "1")]
        let words = try difference(
            Self.file(relays), Self.file(relays, "workers: 2\nloopback_congestion_control: system")
        ).words
        #expect(words == "workers auto → 2, loopback_congestion_control auto → system need a restart")
    }

    @Test func workersAlone_areNothingToApply() throws {
        let relays = [Self.entry("a", "1")]
        let difference = try difference(Self.file(relays), Self.file(relays, "workers: 2"))
        #expect(difference.isEmpty)
        #expect(difference.needsRestart == [.init(key: "workers", old: "auto", new: "2")])
    }

    // MARK: Listeners

    @Test func listeners_comeGoAndChangeHands() throws {
        let difference = try difference(
            Self.file([Self.entry("a", "[1, 127.0.0.1:2]"), Self.entry("b", "unix:/s")]),
            Self.file([Self.entry("a", "[127.0.0.1:1, unix:/s]", "c:1"), Self.entry("b", "[127.0.0.1:2, 0]")]))
        #expect(
            difference.listeners.added == [
                .init(address: "127.0.0.1:0", relay: "b"), .init(address: "[::1]:0", relay: "b"),
            ])
        #expect(difference.listeners.removed == [.init(address: "[::1]:1", relay: "a")])
        #expect(
            difference.listeners.moved == [
                .init(address: "unix:/s", from: "b", to: "a"), .init(address: "127.0.0.1:2", from: "a", to: "b"),
            ])
    }

    @Test func listeners_ofARenamedRelay_stay() throws {
        let difference = try difference(
            Self.file([Self.entry("a", "[0, 1, unix:/s]")]), Self.file([Self.entry("b", "[0, unix:/s, 1]")]))
        #expect(difference.renamed == [.init(old: "a", new: "b")])
        #expect(difference.listeners == ConfigurationDifference.Listeners())
    }

    // MARK: Many

    @Test func words_areBounded_forManyRelays() {
        func relays(_ prefix: String, _ port: UInt16, idle: Int64 = 1) -> [RelaySettings] {
            (0..<500).map { number in
                let name = prefix + String(repeating: "x", count: 60) + "\(number)"
                return RelaySettings(
                    name: name, listen: [.loopback(port: port + UInt16(number))], upstream: .name("a", port: port),
                    timeouts: Timeouts(idle: .seconds(idle)))
            }
        }
        let old = Configuration(relays: relays("a", 1000) + relays("b", 2000) + relays("c", 3000))
        let new = Configuration(
            workers: .exactly(2), relays: relays("b", 2000, idle: 2) + relays("d", 3000) + relays("e", 4000))
        let difference = ConfigurationDifference(from: old, to: new)
        #expect(difference.added.count == 500)
        #expect(difference.removed.count == 500)
        #expect(difference.renamed.count == 500)
        #expect(difference.changed.count == 500)
        #expect(difference.words.count < 4000)
        #expect(difference.words.hasSuffix("and 492 more; workers auto → 2 needs a restart"))
    }

    @Test func longValues_areClipped() throws {
        let path = "/" + String(repeating: "p", count: 200)
        let relays = [Self.entry("a", "1")]
        let words = try difference(Self.file(relays), Self.file(relays, "log: { access: \(path) }")).words
        #expect(words == "log.access stdout → \(path.prefix(47))…")
    }
}
