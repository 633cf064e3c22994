import StartTLS
import Testing

/// What a mail client gets until TLS begins.
@Suite struct MailOfferTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func reply(_ offer: inout MailOffer, _ words: String) -> String {
        switch offer.read(Array(words.utf8)) {
        case .incomplete: ""
        case .answer(let bytes): text(bytes)
        case .begin(let bytes): "TLS " + text(bytes)
        case .end(let bytes): "end " + text(bytes)
        case .refused(let clause, let bytes): "refused \(clause): " + text(bytes)
        }
    }

    @Test func smtp_isGreeted_andOnlySTARTTLSIsOffered() {
        var offer = MailOffer(.smtp)
        #expect(text(offer.greeting) == "220 localhost ESMTP\r\n")
        #expect(reply(&offer, "ehlo a.exam") == "")
        #expect(reply(&offer, "ple\r\n") == "250-localhost\r\n250 STARTTLS\r\n")
        #expect(reply(&offer, "HELO a\r\nNOOP\r\n") == "250 localhost\r\n250 2.0.0 OK\r\n")
        #expect(reply(&offer, "MAIL FROM:<a@b>\n") == "530 5.7.0 STARTTLS is required first\r\n")
        #expect(reply(&offer, "STARTTLS now\r\n") == "501 5.5.4 STARTTLS has no parameter\r\n")
        #expect(reply(&offer, "StartTLS\r\n") == "TLS 220 2.0.0 TLS begins\r\n")
    }

    @Test func imap_isGreeted_andOnlySTARTTLSIsOffered() {
        var offer = MailOffer(.imap)
        let capabilities = "CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED"
        #expect(text(offer.greeting) == "* OK [\(capabilities)] ready\r\n")
        #expect(reply(&offer, "a1 capability\r\n") == "* \(capabilities)\r\na1 OK done\r\n")
        #expect(reply(&offer, "a2 LOGIN user secret\r\n") == "a2 NO STARTTLS is required first\r\n")
        #expect(reply(&offer, "(x) NOOP\r\n\r\n") == "* BAD no tag\r\n* BAD no tag\r\n")
        #expect(reply(&offer, "a3 STARTTLS\r\n") == "TLS a3 OK TLS begins\r\n")
    }

    @Test func client_leavesInOrder() {
        var smtp = MailOffer(.smtp)
        #expect(reply(&smtp, "QUIT\r\nNOOP\r\n") == "end 221 2.0.0 Bye\r\n")
        var imap = MailOffer(.imap)
        #expect(reply(&imap, "a LOGOUT\r\n") == "end * BYE bye\r\na OK done\r\n")
    }

    /// A command behind STARTTLS may have been inserted, to be taken for an encrypted one (CVE-2011-0411).
    @Test func bytesBehindTheRequest_areRefused() {
        var smtp = MailOffer(.smtp)
        #expect(
            reply(&smtp, "STARTTLS\r\nMAIL FROM:<a@b>\r\n")
                == "refused sent bytes behind its request for TLS: 421 4.7.0 The client sent bytes behind its request for TLS\r\n"
        )
        var imap = MailOffer(.imap)
        #expect(reply(&imap, "a STARTTLS\r\nb").hasPrefix("refused sent bytes behind its request for TLS: * BYE "))
    }

    @Test(arguments: MailProtocol.allCases) func clientThatNeverBegins_isRefused(_ name: MailProtocol) {
        var many = MailOffer(name)
        for _ in 0..<20 { #expect(!reply(&many, "a NOOP\r\n").hasPrefix("refused")) }
        #expect(reply(&many, "a NOOP\r\n").hasPrefix("refused sent too many commands before TLS: "))
        var long = MailOffer(name)
        #expect(reply(&long, String(repeating: "x", count: 8192)) == "")
        #expect(reply(&long, "x").hasPrefix("refused sent a line of more than 8 KiB: "))
    }
}
