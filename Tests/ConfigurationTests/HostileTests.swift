import TestSupport
import Testing

@testable import Configuration

/// Malicious texts: none may crash, hang, or be refused without a reason.
@Suite struct HostileTests {
    @Test func aliasBomb_isRefused_withoutBeingResolved() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...40 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        text += "? *a40\n: x\n" + relay()
        let found = mistakes(text)
        #expect(found.first == "1:5: the anchor `&a0`: anchors are not allowed; write the value out")
        #expect(found.contains { $0.contains("the alias `*a0`: aliases are not allowed") })
        #expect(found.count == Problems.most + 1)
    }

    @Test func selfReference_isRefused() {
        #expect(mistakes("relays: &a [*a]\n").contains { $0.hasPrefix("1:13: the alias `*a`") })
    }

    @Test(arguments: [" [\n", " {a:\n", "- ", "? "])
    func depth_isBounded(_ opening: String) {
        let found = mistakes("relays: \n" + String(repeating: opening, count: 10_000))
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix(": nested deeper than 32 levels") == true, "\(found)")
    }

    @Test(arguments: ["[", "{a: ", "[a, ", "{? "])
    func depth_inOneLine_isRefused(_ opening: String) {
        #expect(mistakes("relays: " + String(repeating: opening, count: 10_000)).count == 1)
    }

    @Test func size_isBounded() {
        let comment = "#" + String(repeating: "x", count: Configuration.mostBytes)
        #expect(mistakes(comment + "\n" + relay()) == [" larger than 1MiB, the limit for a configuration"])
        let most = String(comment.prefix(Configuration.mostBytes - relay().utf8.count - 1)) + "\n" + relay()
        #expect(most.utf8.count == Configuration.mostBytes)
        #expect(mistakes(most) == [])
    }

    @Test(
        arguments: [
            ([0x00], "1:1: a control character is not allowed; a configuration is plain text"),
            (Array("a: b\nc: ü\0".utf8), "2:5: a control character is not allowed; a configuration is plain text"),
            ([0x61, 0x3A, 0x20, 0xFF], "1:4: not UTF-8 text (invalid leading UTF-8 octet)"),
            ([0x61, 0x3A, 0x20, 0xC3], "1:4: not UTF-8 text (incomplete UTF-8 octet sequence)"),
            ([0xFF, 0xFE, 0x61, 0x00], "1:1: the file is UTF-16LE text; save it as UTF-8"),
            ([0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80], "1:4: not UTF-8 text (invalid Unicode character)"),
            (Array("a: \u{1B}[2J".utf8), "1:4: a control character is not allowed; a configuration is plain text"),
        ] as [([UInt8], String)])
    func bytes_areRefused_thatAreNoText(_ bytes: [UInt8], _ message: String) {
        #expect(mistakes(bytes) == [message])
    }

    @Test(arguments: [
        "-1", "65536", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
        "18446744073709551616", "-9223372036854775809", "1e309", ".inf", ".nan", "0x7fffffff", "٣",
        String(repeating: "9", count: 10_000),
    ])
    func numbers_areRefused_outsideTheirRanges(_ number: String) {
        let text = """
            workers: "\(number)"
            shutdown: { drain: "\(number)s" }
            relays:
              - name: web
                listen: "\(number)"
                upstream: "example.com:\(number)"
                mode: "\(number)"
                timeouts: { connect: "\(number)h", idle: "\(number)", half_close: "\(number)ms", lifetime: "\(number)m" }
                max_connections: "\(number)"
                record: { rotate: { size: "\(number)GiB", keep: "\(number)" }, buffer: "\(number)B", max_bytes: "\(number)TiB" }
            """
        let found = mistakes(text)
        #expect(found.contains { $0.hasPrefix("1:10: `workers`") })
        #expect(found.contains { $0.hasPrefix("5:13: `listen`") })
        #expect(found.contains { $0.hasPrefix("6:15: `upstream`") })
        #expect(found.contains { $0.contains("`max_bytes`") })
        #expect(found.allSatisfy { $0.count < 400 })
    }

    @Test(arguments: [
        "\n", "\r\n", "[", "]", "{", "}", ",", ":", ": ", "- ", "'", "\"", "&", "*", "!", "|", ">", "%", "@", "`", "$",
        "${", "#", "\t", "\\", "<<", "?", "~", "---", "...", "\u{85}", "\u{2028}", "\u{FEFF}", "é", "👩‍👩‍👧",
    ])
    func repetition_ofAnything_isSurvived(_ text: String) {
        for count in [1, 2, 3, 100, 5_000] {
            _ = mistakes(String(repeating: text, count: count))
            _ = mistakes("relays: " + String(repeating: text, count: count))
        }
    }

    @Test func listeners_inGreatNumber_areCheckedInLinearTime() {
        // In quadratic time these would be 400 million comparisons.
        let ports = (0..<20_000).map { "127.\($0 / 250 % 250).\($0 % 250).1:80" }.joined(separator: ", ")
        #expect(mistakes(relay(listen: "[\(ports)]")) == [])
    }

    @Test func mutations_ofTheSample_neverCrash() throws {
        let sample = Array(try Repository.text("config/tapline.yaml").utf8)
        let pieces = [
            "*", "&", "[", "]", "{", "}", ":", "- ", "\n", "  ", "\t", "'", "\"", "${", "$", "!", "|", "\0", "\u{FF}",
            "9999999999", "-1", "#", "? ", "<<: ", "---\n",
        ]
        .map { Array($0.utf8) }
        var random = SplitMix64(seed: 0x7461_706C_696E_65)
        for round in 0..<1_500 {
            var bytes = sample
            for _ in 0...Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<max(1, bytes.count), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: min(place, bytes.count))
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &random)))
                case 2: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
                default: bytes.append(contentsOf: bytes[place..<min(bytes.count, place + 60)])
                }
            }
            for mistake in mistakes(bytes, environment: ["HOST": "x"]) {
                // A message must not control a terminal or look like a second line of a log.
                let isPlain = mistake.unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value)
                }
                #expect(isPlain, "round \(round): \(mistake)")
            }
        }
    }
}

/// A small generator whose numbers follow from its seed (Steele, Lea and Flood, 2014), so that a failure can be
/// repeated.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
