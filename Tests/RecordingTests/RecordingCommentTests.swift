import Recording
import Testing

struct RecordingCommentTests {
    private static func full(_ kind: RecordingComment.Kind) -> RecordingComment {
        var comment = RecordingComment(kind, id: .max)
        comment.relay = "web"
        comment.client = "unix:"
        comment.listener = "[::1]:8080"
        comment.upstream = "example.com:80"
        comment.upstreamAddress = "192.0.2.1:80"
        comment.reason = "client_reset"
        comment.closedBy = "client"
        comment.errno = "ECONNRESET"
        comment.bytesUp = 1
        comment.bytesDown = .max
        comment.recordedBytes = 0
        comment.droppedBytes = 17
        comment.waitedFor = "client"
        comment.heldBytes = 1 << 20
        comment.waitedMilliseconds = 2000
        comment.clientHeldMilliseconds = 12_000
        comment.attempts = 26
        return comment
    }

    @Test(arguments: RecordingComment.Kind.allCases)
    func aComment_isReadBackAsItWasWritten(kind: RecordingComment.Kind) {
        for comment in [Self.full(kind), RecordingComment(kind, id: 0)] {
            #expect(RecordingComment(comment.text) == comment)
            #expect(!comment.text.contains("\n"))
        }
    }

    @Test func textFromOutside_isReadBackWhole() {
        var comment = RecordingComment(.opened, id: 3)
        for text in [
            "a b", "say \"no\"", "a=b", "\\", "null", "", "two\nlines\r\t", "\u{202E}desrever\u{7}", "jalapeño 🌶",
        ] {
            comment.relay = text
            comment.upstream = text
            #expect(RecordingComment(comment.text) == comment, "\(comment.text)")
            #expect(!comment.text.contains("\n"))
        }
    }

    @Test func aComment_isWordsThenPairs() {
        var comment = RecordingComment(.gap, id: 7)
        comment.droppedBytes = 4096
        #expect(comment.text == "tapline: 4096 bytes not recorded id=7 dropped_bytes=4096")
        comment = RecordingComment(.opened, id: 7)
        comment.relay = "my web"
        #expect(comment.text == #"tapline: connection opened id=7 relay="my web""#)
        comment = RecordingComment(.continued, id: 7)
        comment.bytesUp = 5
        comment.bytesDown = 6
        #expect(
            comment.text
                == "tapline: continues from the file before, 5 bytes up and 6 bytes down so far "
                + "id=7 bytes_up=5 bytes_down=6")
    }

    @Test func anUnknownKey_isPassedOver() {
        let comment = RecordingComment(#"tapline: connection opened id=7 colour="dark blue" relay=web weight=null"#)
        var expected = RecordingComment(.opened, id: 7)
        expected.relay = "web"
        #expect(comment == expected)
    }

    @Test(arguments: [
        "", "tapline", "tapline: ", "tapline: connection opened", "tapline: connection opened relay=web",
        "tapline: connection opened id=", "tapline: connection opened id=-1", "tapline: connection opened id=7x",
        "tapline: connection opened id=18446744073709551616", "tapline: connection opened id=7 relay",
        #"tapline: connection opened id=7 relay="web"#, #"tapline: connection opened id=7 relay="web"x"#,
        #"tapline: connection opened id=7 relay="\u12"#, #"tapline: connection opened id=7 relay="\ud800""#,
        #"tapline: connection opened id=7 relay="\"#, "tapline: connection opened id=7  relay=web",
        "tapline: connection eaten id=7", "connection opened id=7", "tapline: id=7",
        "tapline: 1 bytes not recorded id=7",
    ])
    func anythingElse_isNoComment(text: String) {
        #expect(RecordingComment(text) == nil)
    }
}
