import HTTPTypes
import Testing
import Text

@testable import Admin

/// How long a client may take.
struct ClientClockTests {
    private static let second: UInt64 = 1_000_000_000

    @Test(
        arguments: [
            ([], 10), ([.head], 10), ([.head, .endOfRequest], 30),
            ([.head, .endOfRequest, .answerBegan, .answerEnded], 60),
            // Answered before the body arrived: the rest of the body is still read, and there is no second answer.
            ([.head, .answerBegan, .answerEnded], 10),
            ([.head, .answerBegan, .answerEnded, .endOfRequest], 60),
            ([.head, .endOfRequest, .answerBegan, .blocked], 30),
        ] as [([ClientClock.Event], UInt64)])
    func everyPhase_hasItsBound(_ events: [ClientClock.Event], _ seconds: UInt64) {
        var clock = ClientClock(at: 5 * Self.second)
        for event in events { clock.handle(event, at: 100 * Self.second) }
        let start = events.isEmpty ? 5 * Self.second : 100 * Self.second
        #expect(!clock.isOver(at: start + seconds * Self.second - 1))
        #expect(clock.isOver(at: start + seconds * Self.second))
    }

    @Test func stream_hasNoBound_whileTheClientTakesIt() {
        var clock = ClientClock(at: 0)
        for event in [.head, .endOfRequest, .streamBegan, .blocked, .unblocked] as [ClientClock.Event] {
            clock.handle(event, at: 0)
        }
        #expect(!clock.isOver(at: 100_000 * Self.second))
        #expect(clock.evictionRank == nil)
    }

    /// Each event comes a tick after the one before it.
    @Test(
        arguments: [
            ([], .init(idleness: .nothingUnderWay, since: 0)),
            ([.head], .init(idleness: .sendsNothing, since: 1)),
            ([.head, .endOfRequest], nil),
            ([.head, .endOfRequest, .answerBegan], nil),
            ([.head, .endOfRequest, .answerBegan, .blocked], .init(idleness: .takesNothing, since: 4)),
            ([.head, .endOfRequest, .answerBegan, .blocked, .blocked], .init(idleness: .takesNothing, since: 4)),
            ([.head, .endOfRequest, .answerBegan, .blocked, .unblocked], nil),
            ([.head, .endOfRequest, .answerBegan, .answerEnded], .init(idleness: .nothingUnderWay, since: 4)),
            // A refusal does not wait for the body.
            ([.head, .answerBegan, .answerEnded], .init(idleness: .nothingUnderWay, since: 3)),
            ([.head, .answerBegan, .answerEnded, .endOfRequest], .init(idleness: .nothingUnderWay, since: 4)),
        ] as [([ClientClock.Event], ClientClock.EvictionRank?)])
    func stallingClient_hasAnEvictionRank(_ events: [ClientClock.Event], _ rank: ClientClock.EvictionRank?) {
        var clock = ClientClock(at: 0)
        for (index, event) in events.enumerated() { clock.handle(event, at: UInt64(index + 1)) }
        #expect(clock.evictionRank == rank)
    }

    @Test(
        arguments: [
            ([.head, .endOfRequest, .streamBegan], false), ([.head, .endOfRequest, .inputClosed], false),
            ([.head, .endOfRequest, .answerBegan, .inputClosed], false),
            ([.head, .endOfRequest, .streamBegan, .inputClosed], true),
            ([.head, .endOfRequest, .inputClosed, .streamBegan], true),
            ([.head, .endOfRequest, .streamBegan, .answerEnded, .inputClosed], false),
        ] as [([ClientClock.Event], Bool)])
    func endOfAClientsHalf_isItsLeaving_onlyFromAStream(_ events: [ClientClock.Event], _ hasLeft: Bool) {
        var clock = ClientClock(at: 0)
        for event in events { clock.handle(event, at: 0) }
        #expect(clock.hasLeft == hasLeft)
    }

    @Test func eviction_isByIdleness_thenByTheLongestTime() {
        let ranks: [ClientClock.EvictionRank] = [
            .init(idleness: .takesNothing, since: 1), .init(idleness: .sendsNothing, since: 3),
            .init(idleness: .nothingUnderWay, since: 9), .init(idleness: .nothingUnderWay, since: 8),
            .init(idleness: .sendsNothing, since: 2),
        ]
        #expect(ranks.sorted().map(\.since) == [8, 9, 2, 3, 1])
    }
}

/// The page and its policy.
struct PageTests {
    @Test func policy_allowsTheServersOwnFiles_andNothingElse() {
        #expect(Page.policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'; "))
        #expect(Page.policy.contains("connect-src 'self'"))
        #expect(!Page.policy.contains("unsafe"))
        #expect(Page.document.fields["Content-Security-Policy"] == Page.policy)
    }

    /// No answer may be taken for another type or kept for a later version.
    @Test func everyPart_hasItsTypeAndIsNotStored() {
        let parts = [(Page.document, "text/html"), (Page.style, "text/css"), (Page.script, "text/javascript")]
        for (answer, type) in parts {
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "\(type); charset=utf-8")
            #expect(answer.headers[.cacheControl] == "no-store")
            #expect(answer.headers[.xContentTypeOptions] == "nosniff")
        }
    }

    @Test func page_loadsItsStyleAndItsScript_andHasNothingThatThePolicyForbids() {
        let page = text(Page.document)
        #expect(page.contains("<link rel=\"stylesheet\" href=\"/page.css\">"))
        #expect(page.contains("<script type=\"module\" src=\"/page.js\"></script>"))
        for forbidden in [
            "<script>", "<style", " style=", " onclick=", " onload=", "javascript:", "https://", "@import",
        ] {
            #expect(!page.contains(forbidden), "\(forbidden)")
        }
        for part in [text(Page.style), text(Page.script)] {
            #expect(!part.contains("https://") && !part.contains("@import") && !part.contains("eval("))
        }
    }

    /// The last part starts the page, and uses what all others define.
    @Test func script_isAllOfItsParts_inOrder() throws {
        let script = text(Page.script)
        let definitions = [
            "function h(", "function bytes(", "async function send(", "function confirmed(", "function updateRelays(",
            "class Graph ", "class Capture ", "class PacketReader ", "function activity(", "class Table ",
            "const openTable ", "function matches(", "class Card ", "class One ", "class Wire ", "function openOne(",
            "async function reload(", "function showStatus(", "async function followServer(", "\nfollowServer();",
        ]
        var rest = script[...]
        for definition in definitions {
            rest = rest[try #require(rest.firstRange(of: definition), "\(definition)").upperBound...]
        }
    }

    private func text(_ answer: Answer) -> String {
        guard case .whole(let bytes) = answer.content else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// JSON output.
struct JSONTextTests {
    @Test func everyKindOfValue_standsInItsOrder() {
        var json = JSONText()
        json.object { json in
            json.add("t", "a\"\n\u{2028}é")
            json.add("n", nil)
            json.add("i", number: -5)
            json.add("none", number: Int?.none)
            json.add("d", decimal: 1.5)
            json.add("b", true)
            json.addNull("x")
            json.list("l", [1, 2]) { json, number in json.object { $0.add("k", number: number) } }
            json.object("o") { _ in }
            json.list("e", [String]()) { $0.element($1) }
        }
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == "{\"t\":\"a\\\"\\n\\u2028é\",\"n\":null,\"i\":-5,\"none\":null,\"d\":1.500,\"b\":true,\"x\":null,"
                + "\"l\":[{\"k\":1},{\"k\":2}],\"o\":{},\"e\":[]}")
    }

    @Test func decimals_areRounded() {
        var bytes: [UInt8] = []
        bytes.append(decimal: 0.0005, digits: 3)
        bytes.append(decimal: -2.9996, digits: 3)
        for number in [Double.nan, .infinity, 1e300] {
            var any: [UInt8] = []
            any.append(decimal: number, digits: 3)
            #expect(String(decoding: any, as: UTF8.self) == (number.isNaN ? "0.000" : "18446744073709551.615"))
        }
        bytes.append(decimal: 0, digits: 1)
        #expect(String(decoding: bytes, as: UTF8.self) == "0.001-3.0000.0")
    }
}
