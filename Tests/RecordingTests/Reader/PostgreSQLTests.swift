import Sockets
import TestSupport
import Testing

@testable import Recording

/// Messages of PostgreSQL in the bytes of a connection.
struct PostgreSQLTests {
    /// A message with a type; the texts end with a NUL each.
    private static func message(_ type: Character, _ body: [UInt8]) -> [UInt8] {
        [type.asciiValue ?? 0] + number(body.count + 4) + body
    }

    private static func number(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(number >> (24 - 8 * $0) & 0xFF) } }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static let startup: [UInt8] = {
        let body = number(196_608) + text("user") + text("bob") + text("database") + text("shop") + [0]
        return number(body.count + 4) + body
    }()
    private static let error = message(
        "E",
        text("SERROR") + text("VERROR") + text("C42P01") + text("Mrelation \"nosuch\" does not exist") + text("P15")
            + text("Fparse_relation.c") + [0])
    private static let greeting =
        message("R", number(0)) + message("S", text("server_version") + text("16.4"))
        + message("K", number(7) + number(9)) + message("Z", Array("I".utf8))
    private static let answer =
        message("T", [0, 1] + text("n") + [UInt8](repeating: 0, count: 18))
        + message("D", [0, 2] + number(2) + Array("42".utf8) + [255, 255, 255, 255]) + message("C", text("SELECT 1"))

    private static let script: [(Direction, [UInt8], [String])] = [
        (.up, startup, ["Startup: user=bob database=shop"]),
        (
            .down, greeting,
            ["AuthenticationOk", "ParameterStatus: server_version=16.4", "BackendKeyData", "ReadyForQuery"]
        ),
        (.up, message("Q", text("SELECT n\n FROM t")), ["Query: SELECT n\n FROM t"]),
        (.down, answer, ["RowDescription: n", "DataRow: 42, NULL", "CommandComplete: SELECT 1"]),
        (
            .up, message("P", text("s1") + text("SELECT $1") + [0, 0]) + message("S", []),
            ["Parse: SELECT $1", "Sync"]
        ),
        (.down, error, ["ErrorResponse: ERROR 42P01: relation \"nosuch\" does not exist"]),
        (.up, message("p", text("secret")), ["Password, not shown"]),
        (.up, message("X", []), ["Terminate"]),
    ]

    @Test func messages_areLinesWithTheirNames() {
        var conversation = PostgreSQLConversation()
        for (direction, bytes, lines) in Self.script {
            #expect(conversation.describe(direction, bytes[...]) == lines)
        }
    }

    /// The client's first piece has its code; everything else may be cut anywhere.
    @Test(arguments: 1...20) func messagesInPieces_areTheSame(size: Int) {
        var conversation = PostgreSQLConversation()
        for (index, (direction, bytes, lines)) in Self.script.enumerated() {
            var found: [String] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = index == 0 && rest.count == bytes.count ? max(8, size) : size
                found += conversation.describe(direction, rest.prefix(count)) ?? ["lost"]
                rest = rest.dropFirst(count)
            }
            #expect(found == lines)
        }
    }

    @Test func refusedEncryption_isFollowedByTheStartup() {
        var conversation = PostgreSQLConversation()
        #expect(conversation.describe(.up, ([0, 0, 0, 8] + Self.number(80_877_103))[...]) == ["SSLRequest"])
        #expect(conversation.describe(.down, [UInt8(ascii: "N")]) == ["no encryption"])
        #expect(conversation.describe(.up, Self.startup[...]) == ["Startup: user=bob database=shop"])
    }

    @Test func encryption_endsTheLines() {
        var conversation = PostgreSQLConversation()
        _ = conversation.describe(.up, ([0, 0, 0, 8] + Self.number(80_877_103))[...])
        #expect(conversation.describe(.down, [UInt8(ascii: "S")]) == nil)
        #expect(conversation.describe(.up, [0x16, 3, 1]) == nil)
    }

    /// Others begin with a length, too: nothing of theirs may be held back.
    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "\0\0\0\u{14}\0\u{12}\0\u{3}\0\0\0\u{7}", "\0\0\0\u{8}", "*1\r\n$4\r\nPING\r\n",
    ])
    func otherProtocols_areLeftAlone(first: String) {
        var conversation = PostgreSQLConversation()
        #expect(conversation.describe(.up, Array(first.utf8)[...]) == nil)
        #expect(conversation.describe(.up, Self.startup[...]) == nil)
    }

    @Test func serverThatSpeaksFirst_isNotPostgreSQL() {
        var conversation = PostgreSQLConversation()
        #expect(conversation.describe(.down, Self.error[...]) == nil)
    }

    @Test func longStatement_isCut_andTheNextMessageIsFound() {
        var conversation = PostgreSQLConversation()
        _ = conversation.describe(.up, Self.startup[...])
        let long = String(repeating: "x", count: 100_000)
        let lines = conversation.describe(.up, (Self.message("Q", Self.text(long)) + Self.message("S", []))[...])
        #expect(lines?.count == 2 && lines?.last == "Sync")
        #expect(lines?.first?.hasSuffix("x…") == true && (lines?.first?.count ?? 0) < 9000)
    }

    @Test func summary_hasTheFirstStatementAndTheFirstError() {
        let up = Self.startup + Self.message("Q", Self.text("SELECT *\n  FROM nosuch"))
        let found = Protocol.recognise(up: up, down: Self.greeting + Self.error)
        #expect(
            "\(found)" == "PostgreSQL user=bob database=shop; SELECT * FROM nosuch; ERROR 42P01: relation \"nosuch\" "
                + "does not exist")
    }

    /// Every byte of a conversation is changed, and every cut is tried.
    @Test func anyBytes_areBorne() {
        for (place, (_, bytes, _)) in Self.script.enumerated() {
            for offset in bytes.indices {
                for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
                    var conversation = PostgreSQLConversation()
                    for (index, (direction, good, _)) in Self.script.enumerated() {
                        var changed = good
                        if index == place { changed[offset] = value }
                        let lines = conversation.describe(direction, changed[...])
                        #expect(lines?.allSatisfy { $0.utf8.count < 30_000 } ?? true)
                    }
                }
            }
        }
        var random = Random(seed: 11)
        for _ in 0..<2000 {
            var conversation = PostgreSQLConversation()
            _ = conversation.describe(.up, Self.startup[...])
            for _ in 0..<4 {
                let bytes = (0..<random.next(below: 60)).map { _ in UInt8(random.next(below: 256)) }
                let type = Array("RSKTDCZEN".utf8)[random.next(below: 9)]
                let piece = [type, 0, 0, 0, UInt8(bytes.count + 4)] + bytes
                _ = conversation.describe(.down, piece[...])
            }
        }
    }
}
