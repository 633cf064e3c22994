import CFuzzer
import StartTLS

/// Passes libFuzzer's input to the readers of STARTTLS: of a PostgreSQL client, of servers and of mail clients.
///
/// Fails if a reader traps, if its result depends on the segmentation although nothing came too early, or if a text for
/// the log contains a peer's control characters.
@main
enum StartTLSFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            let bytes = Array(UnsafeBufferPointer(start: data, count: size))
            StartTLSFuzz.open(bytes)
            for kind in [StartTLSDialogue.Kind.postgres, .mail(.smtp), .mail(.imap)] {
                // The rest of the input is the answer to what the first part was answered with.
                for part in [bytes.count, bytes.count / 2, bytes.firstIndex(of: 10).map { $0 + 1 } ?? 0] {
                    StartTLSFuzz.dial(bytes, part, kind)
                }
            }
            for name in MailProtocol.allCases { StartTLSFuzz.offer(bytes, name) }
            return 0
        }
    }

    private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } }

    /// A PostgreSQL client.
    private static func open(_ bytes: [UInt8]) {
        let whole = PostgresOpening(bytes)
        let requests = [PostgresOpening.sslRequestBytes, PostgresOpening.gssRequestBytes]
        precondition((whole == .direct) == (bytes.first == 22))
        precondition(
            (whole == .incomplete) == requests.contains { $0.count > bytes.count && $0.starts(with: bytes) })
        // A longer opening is the same one, but for bytes that come too early.
        for count in bytes.indices {
            let part = PostgresOpening(Array(bytes.prefix(count)))
            if part == .plain || part == .direct || part == .bytesBehindRequest { precondition(part == whole) }
        }
    }

    private static func dial(_ bytes: [UInt8], _ part: Int, _ kind: StartTLSDialogue.Kind) {
        let pieces = [bytes.prefix(part), bytes.dropFirst(part)].map(Array.init).filter { !$0.isEmpty }
        var (whole, byByte) = (StartTLSDialogue(kind), StartTLSDialogue(kind))
        for piece in pieces {
            let step = whole.read(piece)
            var other = StartTLSDialogue.Step.incomplete
            var count = 0
            while other == .incomplete, count < piece.count {
                other = byByte.read([piece[count]])
                count += 1
            }
            if case .failed(let clause) = step {
                precondition(isPrintable(clause), clause)
                if clause.contains("behind") { return }
            }
            precondition(step == other, "the result depends on the segmentation")
            switch step {
            case .incomplete: continue
            case .send(let message):
                precondition(!message.isEmpty && count == piece.count)
            case .complete:
                precondition(count == piece.count && whole.greeting == byByte.greeting)
                return
            case .failed: return
            }
        }
    }

    /// What a mail client gets, and the clause of a refusal.
    private static func result(_ bytes: [UInt8], piece: Int, _ name: MailProtocol) -> (sent: [UInt8], end: String) {
        var offer = MailOffer(name)
        var sent = offer.greeting
        for start in stride(from: 0, to: bytes.count, by: piece) {
            switch offer.read(Array(bytes[start..<min(start + piece, bytes.count)])) {
            case .incomplete: continue
            case .answer(let answer): sent += answer
            case .begin(let answer): return (sent + answer, "TLS")
            case .end(let answer): return (sent + answer, "end")
            case .refused(let clause, let answer):
                precondition(isPrintable(clause), clause)
                return (sent + answer, clause)
            }
        }
        return (sent, "open")
    }

    private static func offer(_ bytes: [UInt8], _ name: MailProtocol) {
        let whole = result(bytes, piece: max(1, bytes.count), name)
        precondition(whole.sent.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 13 || $0 == 10 }, "not printable")
        if whole.end.contains("behind") { return }
        let byByte = result(bytes, piece: 1, name)
        precondition(whole == byByte, "the result depends on the segmentation")
    }
}
