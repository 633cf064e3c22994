import Foundation
import StartTLS
import Testing

/// How the relay agrees on TLS with a server.
@Suite struct StartTLSDialogueTests {
    /// The steps for what a server sends, piece by piece.
    private func steps(_ kind: StartTLSDialogue.Kind, _ pieces: [String]) -> [StartTLSDialogue.Step] {
        var dialogue = StartTLSDialogue(kind)
        return pieces.map { dialogue.read(Array($0.utf8)) }
    }

    private static let ehlo = StartTLSDialogue.Step.send(Array("EHLO localhost\r\n".utf8))
    private static let smtp = StartTLSDialogue.Step.send(Array("STARTTLS\r\n".utf8))
    private static let imap = StartTLSDialogue.Step.send(Array("tls STARTTLS\r\n".utf8))

    @Test func smtp_isGreeted_asksWhatIsOffered_andBegins() {
        let pieces = ["220-mail\r\n", "220 ready\r\n", "250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "220 go\r\n"]
        #expect(steps(.mail(.smtp), pieces) == [.incomplete, Self.ehlo, Self.smtp, .complete])
        var dialogue = StartTLSDialogue(.mail(.smtp))
        #expect(dialogue.start.isEmpty)
        _ = dialogue.read(Array((pieces[0] + pieces[1]).utf8))
        #expect(dialogue.greeting == Array("220-mail\r\n220 ready\r\n".utf8))
    }

    /// What is offered before TLS no longer applies, so that the greeting does not list it.
    @Test func imap_isGreeted_andBegins() {
        let pieces = ["* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", "* OK still here\r\n", "TLS ok begin\r\n"]
        #expect(steps(.mail(.imap), pieces) == [Self.imap, .incomplete, .complete])
        var dialogue = StartTLSDialogue(.mail(.imap))
        _ = dialogue.read(Array(pieces[0].utf8))
        #expect(dialogue.greeting == Array("* OK IMAP4 server ready\r\n".utf8))
    }

    @Test func postgres_asks_andBegins() {
        #expect(StartTLSDialogue(.postgres).start == PostgresOpening.sslRequestBytes)
        #expect(steps(.postgres, ["S"]) == [.complete])
    }

    @Test(
        arguments: [
            (.mail(.smtp), ["554 no\r\n"], "greeted with 554 instead of 220"),
            (.mail(.smtp), ["SSH-2.0-x\r\n"], "does not speak SMTP"),
            (.mail(.smtp), ["220-a\r\n221 b\r\n"], "does not speak SMTP"),
            (.mail(.smtp), ["220 a\r\n250 b\r\n"], "sent bytes behind its answer, before TLS"),
            (.mail(.smtp), ["220 a\r\n", "250-STARTTLS\r\n250 SIZE\r\n"], "does not offer TLS"),
            (.mail(.smtp), ["220 a\r\n", "250-a\r\n250 STARTTLSX\r\n"], "does not offer TLS"),
            (.mail(.smtp), ["220 a\r\n", "500 what\r\n"], "does not offer TLS"),
            (.mail(.smtp), ["220 a\r\n", "250-a\r\n250 starttls\r\n", "454 no\r\n"], "answered STARTTLS with 454"),
            (
                .mail(.smtp), ["220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n250 x\r\n"],
                "sent bytes behind its answer, before TLS"
            ),
            (.mail(.imap), ["* BYE\r\n"], "greeted with BYE instead of OK"),
            (.mail(.imap), ["* PREAUTH\r\n"], "greeted with PREAUTH instead of OK"),
            (.mail(.imap), ["220 a\r\n"], "does not speak IMAP"),
            (.mail(.imap), ["* OK\r\n", "tls NO\r\n"], "does not offer TLS"),
            (.mail(.imap), ["* OK\r\n", "tls OK\r\n* OK\r\n"], "sent bytes behind its answer, before TLS"),
            (.mail(.imap), ["* OK\r\n", "a OK\r\n"], "does not speak IMAP"),
            (.postgres, ["N"], "does not offer TLS"), (.postgres, ["E"], "answered the request for TLS with an error"),
            (.postgres, ["S\u{16}"], "sent bytes behind its answer, before TLS"),
        ] as [(StartTLSDialogue.Kind, [String], String)])
    func otherAnswer_fails(_ kind: StartTLSDialogue.Kind, _ pieces: [String], _ clause: String) {
        let steps = steps(kind, pieces)
        #expect(steps.last == .failed(clause))
        #expect(steps.dropLast().allSatisfy { if case .send = $0 { true } else { false } })
    }

    @Test(arguments: MailProtocol.allCases) func answerWithoutEnd_fails(_ name: MailProtocol) {
        var dialogue = StartTLSDialogue(.mail(name))
        #expect(dialogue.read([UInt8](repeating: 0x32, count: 16 << 10)) == .incomplete)
        guard case .failed = dialogue.read([0x32]) else {
            Issue.record("it reads on")
            return
        }
    }

    /// Every input of the fuzzer, in one piece and byte by byte, has one end, unless something came too early.
    @Test func corpus_hasOneResult_forAnySegmentation() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fuzz/corpus/starttls").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count > 20)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            for kind in [StartTLSDialogue.Kind.postgres, .mail(.smtp), .mail(.imap)] where !bytes.isEmpty {
                var (whole, byByte) = (StartTLSDialogue(kind), StartTLSDialogue(kind))
                let step = whole.read(bytes)
                if case .failed(let clause) = step, clause.contains("behind") { continue }
                let steps = bytes.map { byByte.read([$0]) }
                #expect(steps.first { $0 != .incomplete } ?? .incomplete == step, "\(file.lastPathComponent)")
            }
        }
    }
}
