import TestSupport
import Testing
import Text

@testable import Configuration

/// The JSON Schema and the parser are written separately; these tests compare them.
@Suite struct SchemaTests {
    private let schema: Schema

    init() throws {
        schema = try Schema(reading: "config/tapline.schema.json")
    }

    @Test func keys_areTheParsers() {
        #expect(schema.keys == names(RootKey.self))
        #expect(schema["log"].keys == names(LogKey.self))
        #expect(schema["shutdown"].keys == names(ShutdownKey.self))
        #expect(schema["admin"].keys == names(AdminKey.self))
        #expect(relay.keys == names(RelayKey.self))
        #expect(relay["timeouts"].keys == names(TimeoutsKey.self))
        #expect(relay["proxy_protocol"].keys == names(ProxyProtocolKey.self))
        #expect(relay["interception"].keys == names(InterceptionKey.self))
        #expect(relay["tls_routing"].keys == names(TLSRoutingKey.self))
        #expect(relay["tls_routing"]["routes"].items.keys == names(TLSRouteKey.self))
        #expect(relay["requested"].keys == names(RequestedKey.self))
        #expect(relay["tls"].keys == names(TLSKey.self))
        #expect(relay["tls"]["clients"].keys == names(TLSClientsKey.self))
        #expect(relay["tls"]["clients"]["allow"].keys == names(TLSAllowKey.self))
        #expect(relay["upstream_tls"].keys == names(UpstreamTLSKey.self))
        #expect(relay["record"].keys == names(RecordKey.self))
        #expect(relay["record"]["rotate"].keys == names(RotateKey.self))
    }

    @Test func mappings_takeNoOtherKeys_andEveryPropertyIsDescribed() {
        for part in [
            schema, schema["log"], schema["shutdown"], schema["admin"], relay, relay["timeouts"],
            relay["proxy_protocol"], relay["interception"], relay["tls_routing"],
            relay["tls_routing"]["routes"].items, relay["requested"], relay["tls"], relay["tls"]["clients"],
            relay["tls"]["clients"]["allow"], relay["upstream_tls"], relay["record"], relay["record"]["rotate"],
        ] {
            #expect(part.scalar("type") == "object")
            #expect(part.scalar("additionalProperties") == "false")
            #expect(part.keys.allSatisfy { part[$0].scalar("description")?.isEmpty == false })
        }
    }

    @Test func requiredKeys_areTheParsers() {
        // `relays` may be in other files if there is an `include`.
        #expect(schema.alternatives("required") == [["relays"], ["include"]])
        #expect(mistakes("workers: 2\n") == ["1:1: the configuration has no `relays`"])
        let included = try? Schema(reading: "config/tapline.include.schema.json")
        #expect(included?.keys == IncludedKey.allCases.map(\.rawValue) && included?.list("required") == ["relays"])
        #expect(included?.scalar("additionalProperties") == "false")
        #expect(relay.list("required") == ["name", "listen", "upstream"])
        let complaints = mistakes("relays:\n  - max_connections: 1\n")
        #expect(complaints == relay.list("required").map { "2:5: relay 1 has no `\($0)`" })
    }

    @Test func words_areTheModels() {
        #expect(schema["log"]["level"].words == LogSettings.Level.allCases.map(\.rawValue))
        #expect(schema["log"]["format"].words == LogSettings.Format.allCases.map(\.rawValue))
        #expect(schema["log"]["access"].words == ["stdout", "stderr", "off"])
        #expect(
            schema["loopback_congestion_control"].words == LoopbackCongestionControl.allCases.map(\.rawValue))
        #expect(relay["proxy_protocol"]["send"].words == ProxyProtocolSettings.Version.allCases.map(\.rawValue))
        #expect(
            relay["tls_routing"]["otherwise"].words == TLSRoutingSettings.Otherwise.allCases.map(\.rawValue))
        #expect(relay["record"]["when_full"].words == RecordSettings.WhenFull.allCases.map(\.rawValue))
    }

    @Test func bounds_areTheModels() {
        #expect(schema["workers"].bounds == ["1", "\(WorkerCount.most)"])
        #expect(relay["max_connections"].bounds == ["1", "\(RelaySettings.mostConnections)"])
        #expect(relay["interception"]["mark"].bounds == ["1", "\(UInt32.max)"])
        #expect(relay["record"]["rotate"]["keep"].bounds == ["0", "\(RecordSettings.keeps.upperBound)"])
    }

    /// Writing out any default of the schema does not change the configuration.
    @Test func defaults_areTheModels() throws {
        func expect(_ part: Schema, _ count: Int, _ text: (String) -> String) throws {
            let defaults = part.keys.compactMap { key in part[key].defaultText.map { "\(key): \($0)" } }
            #expect(defaults.count == count, "of \(part.keys)")
            for line in defaults {
                #expect(try read(text(line)) == (try read(text(""))), "\(line)")
            }
        }
        try expect(schema, 2) { "\($0)\n" + ConfigurationTests.relay() }
        try expect(schema["log"], 3) { "log: { \($0) }\n" + ConfigurationTests.relay() }
        try expect(schema["shutdown"], 2) { "shutdown: { \($0) }\n" + ConfigurationTests.relay() }
        try expect(schema["admin"], 2) { "admin: { \($0) }\n" + ConfigurationTests.relay() }
        try expect(relay, 3) { ConfigurationTests.relay(listen: "unix:/a\n    \($0)") }
        try expect(relay["timeouts"], 5) { ConfigurationTests.relay("timeouts: { \($0) }") }
        let proxy = relay["proxy_protocol"]
        #expect(
            try read(ConfigurationTests.relay("proxy_protocol: { accept: \(proxy["accept"].defaultText ?? "") }"))
                == (try read(ConfigurationTests.relay())))
        let accepting = "proxy_protocol: { accept: true, trusted: 10.0.0.1"
        #expect(
            try read(ConfigurationTests.relay("\(accepting), timeout: \(proxy["timeout"].defaultText ?? "") }"))
                == (try read(ConfigurationTests.relay("\(accepting) }"))))
        try expect(relay["tls_routing"], 2) {
            ConfigurationTests.relay("tls_routing: { routes: [{ alpn: h2 }], \($0) }")
        }
        try expect(relay["requested"], 1) {
            ConfigurationTests.relay(listen: "1080", upstream: "requested\n    requested: { allow: 10.0.0.1, \($0) }")
        }
        try expect(relay["record"], 5) { ConfigurationTests.relay("record: { \($0) }") }
        try expect(relay["record"]["rotate"], 3) { ConfigurationTests.relay("record: { rotate: { \($0) } }") }
    }

    /// The schema may be less strict than the parser, but not stricter: it accepts what the parser accepts, and both
    /// refuse values of the wrong form.
    @Test(arguments: [
        (
            "duration", ["0", "00", "250ms", "5s", "10m", "1h", "0005s"],
            ["5", "", "s", "-5s", "5 s", "1.5s", "1h30m", "1d"]
        ),
        (
            "size", ["0", "1B", "64KiB", "64kB", "64KB", "100MB", "1GiB", "1TiB"],
            ["64", "64k", "-1B", "", "1 MiB", "1mib"]
        ),
        (
            "listen_address",
            [
                "8080", "*:8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "LOCALHOST.:8080", "unix:/run/a",
                "unix:@a", "[::ffff:1.2.3.4]:80",
            ],
            [
                "", ":80", "localhost", "::1:80", "[::1]", "example.com:80", "127.0.0.1:http", "unix:", "unix:/run/",
                "http://a:80",
            ]
        ),
        (
            "upstream",
            [
                "example.com:80", "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/a", "_srv.a-b.:1",
                "original-destination", "requested",
            ],
            [
                "8080", "example.com", "*:80", ":80", "https://a/", "bücher.example:80", "a b:80", "2001:db8::1:80",
                "unix:", "original_destination", "Original-Destination", "original", "Requested", "request",
            ]
        ),
        (
            "mark", ["1", "31344", "0x7a70", "0Xffffffff", "0x01"],
            ["", "-1", "+1", "0x", "7a70", "1 ", "0x100000000", "mark"]
        ),
    ])
    func patterns_agreeWithTheParser(_ name: String, _ good: [String], _ bad: [String]) throws {
        let part =
            switch name {
            case "upstream": relay["upstream"]
            case "mark": relay["interception"]["mark"]
            default: schema.definition(name)
            }
        let patterns = try part.patterns.map { try Regex($0) }
        let parse: (String) throws -> Void =
            switch name {
            case "duration": { _ = try DurationText.parse($0) }
            case "size": { _ = try SizeText.parse($0, in: 0...1 << 40) }
            case "mark": { _ = try MarkText.parse($0) }
            case "listen_address": { _ = try ListenAddress(parsing: $0, directory: "/") }
            default: { _ = try UpstreamAddress(parsing: $0, directory: "/") }
            }
        for text in good {
            #expect(throws: Never.self, "\(text)") { try parse(text) }
            #expect(patterns.contains { text.contains($0) }, "\(text)")
        }
        for text in bad {
            #expect(throws: ValueError.self, "\(text)") { try parse(text) }
            #expect(!patterns.contains { text.contains($0) }, "\(text)")
        }
    }

    private var relay: Schema { schema.definition("relay") }

    private func names<Key: ConfigurationKey>(_: Key.Type) -> [String] {
        Key.allCases.map(\.rawValue)
    }
}

/// A part of a JSON Schema, parsed by Tapline's YAML reader, because JSON is YAML.
private struct Schema {
    private let root: YAMLNode?
    private let node: YAMLNode?

    init(reading path: String) throws {
        let problems = Problems(path: path)
        root = YAMLTree.read(Array(try Repository.text(path).utf8), problems)
        node = root
        if let errors = problems.errors { throw errors }
    }

    private init(_ node: YAMLNode?, of root: YAMLNode?) {
        self.node = node
        self.root = root
    }

    /// The names of its properties, in order.
    var keys: [String] {
        Self.entries(Self.value("properties", of: node)).compactMap { Self.text($0.key) }
    }

    /// One of its properties.
    subscript(key: String) -> Schema {
        Schema(Self.value(key, of: Self.value("properties", of: node)), of: root)
    }

    /// The schema of its elements.
    var items: Schema { Schema(Self.value("items", of: node), of: root) }

    func definition(_ name: String) -> Schema {
        Schema(Self.value(name, of: Self.value("$defs", of: root)), of: root)
    }

    func scalar(_ key: String) -> String? {
        Self.text(Self.value(key, of: node))
    }

    func list(_ key: String) -> [String] {
        Self.elements(Self.value(key, of: node)).compactMap(Self.text)
    }

    /// Lists of this name in its alternatives.
    func alternatives(_ key: String) -> [[String]] {
        alternatives.map { Self.elements(Self.value(key, of: $0)).compactMap(Self.text) }
    }

    /// The words of its `enum`.
    var words: [String] {
        alternatives.flatMap { Self.elements(Self.value("enum", of: $0)).compactMap(Self.text) }
    }

    /// Its `minimum` and `maximum`.
    var bounds: [String] {
        ["minimum", "maximum"].compactMap { key in
            alternatives.lazy.compactMap { Self.text(Self.value(key, of: $0)) }.first
        }
    }

    /// Its patterns, without those of environment variables.
    var patterns: [String] {
        alternatives.compactMap { Self.text(Self.value("pattern", of: $0)) }
    }

    /// Its default as YAML.
    var defaultText: String? {
        guard let value = Self.value("default", of: node) else { return nil }
        return Self.text(value).map { "\"\($0)\"" } ?? "[]"
    }

    private var alternatives: [YAMLNode] { Self.elements(Self.value("anyOf", of: node)) }

    private static func value(_ key: String, of node: YAMLNode?) -> YAMLNode? {
        entries(node).first { text($0.key) == key }?.value
    }

    private static func entries(_ node: YAMLNode?) -> [YAMLEntry] {
        if case .mapping(let entries) = node?.content { entries } else { [] }
    }

    private static func elements(_ node: YAMLNode?) -> [YAMLNode] {
        if case .sequence(let nodes) = node?.content { nodes } else { [] }
    }

    private static func text(_ node: YAMLNode?) -> String? {
        if case .scalar(let text, _) = node?.content { text } else { nil }
    }
}
