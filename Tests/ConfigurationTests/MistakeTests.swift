import Foundation
import Testing

@testable import Configuration

/// A text and every mistake that must be found in it.
struct Mistaken: Sendable, CustomTestStringConvertible {
    let text: String
    var mistakes: [String]

    init(_ text: String, _ mistakes: String...) {
        self.text = text
        self.mistakes = mistakes
    }

    var testDescription: String { mistakes.first ?? text }
}

private let rootKeys = "`admin`, `log`, `workers`, `shutdown`, `loopback_congestion_control`, `include`, `relays`"
private let relayKeys =
    "`name`, `listen`, `mode`, `upstream`, `timeouts`, `max_connections`, "
    + "`proxy_protocol`, `interception`, `tls_routing`, `requested`, `upstream_proxy`, `tls`, "
    + "`upstream_tls`, `tls_keylog`, `record`"

@Suite struct MistakeTests {
    @Test(arguments: shapes + keys + values + yaml)
    func mistake_isReportedWithItsPlace(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }

    @Test(arguments: [
        ("UTF-16LE", String.Encoding.utf16LittleEndian), ("UTF-16BE", .utf16BigEndian),
        ("UTF-32LE", .utf32LittleEndian), ("UTF-32BE", .utf32BigEndian),
    ])
    func textOfAnotherEncoding_isNamed(_ name: String, _ encoding: String.Encoding) throws {
        for text in ["\u{FEFF}---\n" + relay(), "---\n" + relay(), relay()] {
            let bytes = Array(try #require(text.data(using: encoding)))
            #expect(mistakes(bytes) == ["1:1: the file is \(name) text; save it as UTF-8"])
        }
    }

    @Test func mistakes_areAllReportedInTheOrderOfTheText() {
        let text = """
            log: { level: loud, colour: red }
            workers: 0
            shutdown: { drain: 5 }
            relays:
              - name: a b
                listen: 70000
                upstream: example.com
                timeouts: { idle: 1d }
              - upstrem: a:1
            """
        let places = mistakes(text).map { $0.prefix { $0 != " " } }
        #expect(
            places == ["1:15:", "1:21:", "2:10:", "3:20:", "5:11:", "6:13:", "7:15:", "8:23:", "9:5:", "9:5:", "9:5:"])
    }

    @Test func mistakes_areCut_pastAHundred() {
        let text = (1...500).map { "key\($0): x" }.joined(separator: "\n") + "\n" + relay()
        let found = mistakes(text)
        #expect(found.count == Problems.most + 1)
        #expect(found.last == "100:1: … and 400 more errors")
    }

    static let shapes: [Mistaken] = [
        Mistaken("", "1:1: the file is empty; `relays` is required"),
        Mistaken("# only a comment\n", "1:1: the file is empty; `relays` is required"),
        Mistaken("---\n", "1:1: the file is empty; `relays` is required"),
        Mistaken("just text\n", "1:1: a configuration must be a mapping with the keys \(rootKeys)"),
        Mistaken("- a\n", "1:1: a configuration must be a mapping with the keys \(rootKeys)"),
        Mistaken("workers: 2\n", "1:1: the configuration has no `relays`"),
        Mistaken("relays:\n", "1:8: `relays`: at least one relay is needed"),
        Mistaken("relays: []\n", "1:9: `relays`: at least one relay is needed"),
        Mistaken("relays: { a: b }\n", "1:9: `relays`: must be a list; begin each relay with `-`"),
        Mistaken("relays:\n  - listen: 80\n", "2:5: relay 1 has no `name`", "2:5: relay 1 has no `upstream`"),
        Mistaken("relays:\n  - web\n", "2:5: relay 1 must be a mapping with the keys \(relayKeys)"),
        Mistaken("log: none\n" + relay(), "1:6: `log` must be a mapping with the keys `level`, `format`, `access`"),
        Mistaken(
            relay("timeouts:"),
            "5:14: `timeouts` has no value; it must be a mapping with the keys `connect`, "
                + "`idle`, `half_close`, `lifetime`, `wait`"),
        Mistaken(relay("max_connections:"), "5:21: `max_connections`: has no value"),
        Mistaken(relay("max_connections: [1]"), "5:22: `max_connections`: must be one value, not a list"),
        Mistaken(relay("max_connections: { a: b }"), "5:22: `max_connections`: must be one value, not a mapping"),
        Mistaken(relay(listen: "[]"), "3:13: `listen`: at least one address is needed"),
        Mistaken(relay(listen: "[[80]]"), "3:14: `listen`: must be one value, not a list"),
    ]

    static let keys: [Mistaken] = [
        Mistaken("adnim: { listen: 1 }\n" + relay(), "1:1: unknown key `adnim`; did you mean `admin`?"),
        Mistaken("amdin: { listen: 1 }\n" + relay(), "1:1: unknown key `amdin`; did you mean `admin`?"),
        Mistaken("relais:\n  - name: x\n", "1:1: unknown key `relais`; did you mean `relays`?"),
        Mistaken("zzz: 1\n" + relay(), "1:1: unknown key `zzz`; valid keys: \(rootKeys)"),
        Mistaken(relay("upstrem: a:1"), "5:5: unknown key `upstrem`; did you mean `upstream`?"),
        Mistaken(relay("maxConnections: 1"), "5:5: unknown key `maxConnections`; did you mean `max_connections`?"),
        Mistaken(relay("timeouts: { half-close: 1s }"), "5:17: unknown key `half-close`; did you mean `half_close`?"),
        Mistaken(relay("<<: { a: b }"), "5:5: unknown key `<<`; valid keys: \(relayKeys)"),
        Mistaken(relay("? { a: b }\n    : c"), "5:7: a key must be plain text; valid keys: \(relayKeys)"),
        Mistaken(
            relay("name: b", "listen: 81"), "5:5: duplicate key `name`; the first is on line 2",
            "6:5: duplicate key `listen`; the first is on line 3"),
        Mistaken(
            "a\u{1B}[31mb: 1\n" + relay(),
            "1:2: a control character is not allowed; a configuration is plain text"),
        Mistaken("\"a\\e[31m\\n\": 1\n" + relay(), "1:1: unknown key `a\\u{1B}[31m\\n`; valid keys: \(rootKeys)"),
    ]

    static let values: [Mistaken] = [
        Mistaken(
            "log: { level: warn, format: xml, access: sdtout }\n" + relay(),
            "1:15: `level`: `warn` is not one of trace, debug, info, notice, warning, error; did you mean `warning`?",
            "1:29: `format`: `xml` is not one of text, json",
            "1:42: `access`: `sdtout` is not one of stdout, stderr, off or a path such as ./access.log; did you mean `stdout`?"
        ),
        Mistaken("log: { access: logs/ }\n" + relay(), "1:16: `access`: `logs/` is a directory; name a file in it"),
        Mistaken(
            "log: { access: ~/x }\n" + relay(),
            "1:16: `access`: `~/x`: `~` is not expanded; write `${HOME}` or the absolute path"),
        Mistaken(
            "loopback_congestion_control: reno\n" + relay(),
            "1:30: `loopback_congestion_control`: `reno` is not one of auto, system"),
        Mistaken(
            relay(listen: "8080\n    mode: 0660"),
            "4:11: `mode`: only Unix sockets have a mode, and relay `web` has none"),
        Mistaken(
            relay(listen: "unix:a\n    mode: 888"),
            "4:11: `mode`: `888` is not a mode; write three octal digits after a 0, such as 0660"),
        Mistaken(
            relay(listen: "unix:a\n    mode: 07777"),
            "4:11: `mode`: `07777` is not a mode; write three octal digits after a 0, such as 0660"),
        Mistaken(
            "relays:\n  - name: ..\n    listen: 80\n    upstream: a:1\n",
            "2:11: `name`: `..` is not a relay name; a name has 1 to 64 of the characters A-Z a-z 0-9 . _ - and "
                + "begins with a letter or a digit"
        ),
    ]

    static let yaml: [Mistaken] = [
        // The three most common mistakes.
        Mistaken(
            relay(listen: "*:8080"), "3:13: `*:8080`: an unquoted `*` begins a YAML alias; quote it: \"*:8080\""),
        Mistaken(
            relay(listen: "[*:8080, 80]"),
            "3:14: `*:8080`: an unquoted `*` begins a YAML alias; quote it: \"*:8080\""),
        Mistaken(
            relay(listen: "[::1]:8080"),
            "3:13: `[::1]:8080`: an unquoted `[` begins a YAML list; quote it: \"[::1]:8080\""),
        Mistaken(
            relay(listen: "[2001:db8::1]:80"),
            "3:13: `[2001:db8::1]:80`: an unquoted `[` begins a YAML list; quote it: \"[2001:db8::1]:80\""),
        Mistaken(
            "shutdown: { drain: ${D:-30s} }\n" + relay(),
            "1:20: `${D:-30s}`: inside `{ }` or `[ ]` YAML reads its `{` as a mapping; quote it: \"${D:-30s}\""),
        Mistaken(
            relay(listen: "'unix:@name'\n    mode: 0600"),
            "4:11: `mode`: `unix:@name` is an abstract name, which has no file and no mode: every user who shares its "
                + "network namespace can connect; choose a path, or remove `mode`"),
        Mistaken(
            relay(listen: "[unix:/run/a, 'unix:@name']\n    mode: 0600"),
            "4:11: `mode`: `unix:@name` is an abstract name, which has no file and no mode: every user who shares its "
                + "network namespace can connect; choose a path, or remove `mode`"),
        Mistaken(
            relay(listen: "\"[fe80::1]:80\""),
            "3:13: `listen`: `fe80::1` is a link-local address and needs the interface, such as [fe80::1%eth0]:80; "
                + "`ip -br link` lists the interfaces"),
        // Features that are refused on purpose.
        Mistaken(relay(listen: "&web 80"), "3:13: the anchor `&web`: anchors are not allowed; write the value out"),
        Mistaken(
            relay(listen: "*web"),
            "3:13: the alias `*web`: aliases are not allowed; write the value out, or quote it if it is text: \"*web\""),
        Mistaken(
            relay(listen: "!!int 80"),
            "3:13: the tag `!!int`: tags are not allowed; remove it"),
        Mistaken(
            relay() + "---\n" + relay(), "5:1: a second document begins here; a configuration is one document"),
        Mistaken(
            relay() + "...\n---\n" + relay(), "6:1: a second document begins here; a configuration is one document"),
        Mistaken(
            "\u{FEFF}---\n" + relay() + "---\n",
            "6:1: a second document begins here; a configuration is one document"),
        // A byte order mark is not a character of the first line.
        Mistaken(
            "\u{FEFF}log: { level: loud }\n" + relay(),
            "1:15: `level`: `loud` is not one of trace, debug, info, notice, warning, error"),
        Mistaken(
            "\u{FEFF}shutdown: { drain: ${D:-30s} }\n" + relay(),
            "1:20: `${D:-30s}`: inside `{ }` or `[ ]` YAML reads its `{` as a mapping; quote it: \"${D:-30s}\""),
        // Other common YAML mistakes.
        Mistaken(
            relay(listen: "@8080"),
            "3:13: `@8080`: unquoted text cannot begin like this in YAML; quote it: \"@8080\""),
        Mistaken("shutdown:\n\tdrain: 5s\n" + relay(), "2:1: YAML cannot be indented with tabs; use spaces"),
        Mistaken(
            "shutdown: drain: 5s\n" + relay(),
            "1:16: unexpected `:`; quote the value if the `:` is part of it, or check the indentation"
        ),
        Mistaken(
            "shutdown: {drain: 5s\n" + relay(),
            "2:7: not YAML: while parsing a flow mapping (line 1), did not find expected ',' or '}'"),
        Mistaken(
            relay("timeouts:", "  idle: 1h", " connect: 1s"),
            "7:6: not YAML: while parsing a block mapping (line 2), did not find expected key; check the indentation of line 7"
        ),
        // TLS as `tapline forward` or a URL writes it.
        Mistaken(
            relay(listen: "8080", upstream: "https://localhost:24010"),
            "4:15: `upstream`: `https://localhost:24010`: Tapline forwards TCP, not URLs; write HOST:PORT without "
                + "`https://`, and `upstream_tls: {}` for TLS"),
        Mistaken(
            relay(listen: "tls:24301", upstream: "tls:localhost:24010"),
            "3:13: `listen`: `tls:24301`: `tls:` is for `tapline forward`; here write `24301`, and "
                + "`tls: { certificates: … }` for TLS",
            "4:15: `upstream`: `tls:localhost:24010`: `tls:` is for `tapline forward`; here write `localhost:24010`, and "
                + "`upstream_tls: {}` for TLS"),
        Mistaken(
            relay("upstream_tls:"),
            "5:18: `upstream_tls`: has no value; write `upstream_tls: {}` for the defaults"),
        Mistaken(
            relay("upstream_tls: true"),
            "5:19: `upstream_tls`: is a mapping, not `true`; write `upstream_tls: {}` for the defaults"),
        Mistaken(
            relay("upstream_tls: { verify: pin, pins: [abc] }"),
            "5:41: `pins`: `abc` is no pin; write sha256/ and the Base64 of the public key's SHA-256 (44 characters)"),
        Mistaken(
            relay("upstream_tls: { verify: off, pins: [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"] }"),
            "5:40: `pins`: nothing is compared with them: `verify` is `off`"),
        Mistaken(
            relay("tls_routing: { routes: [{ alpn: h2, upstream: \"unix:/run/a\" }] }", "upstream_tls: {}"),
            "6:19: `upstream_tls`: an upstream on a Unix socket (unix:/run/a) has no name that its certificate could have; "
                + "write `server_name`, or `verify: chain`"),
    ]
}
