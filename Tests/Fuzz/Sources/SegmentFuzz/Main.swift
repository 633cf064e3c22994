import CFuzzer
import Recording

/// Passes sequences of segments and gap comments (`SegmentScript`) to the reader of recordings.
///
/// Fails if the reader traps, returns more bytes than the segments have, or loses a conversation.
@main
enum SegmentFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            SegmentFuzz.read(SegmentScript(Array(UnsafeBufferPointer(start: data, count: size))))
            return 0
        }
    }

    private static func read(_ script: SegmentScript) {
        let reader = RecordingReader()
        var (bytes, opened, ended) = (0, 0, 0)
        func look(at event: RecordingEvent) {
            switch event {
            case .opened: opened += 1
            case .bytes(let piece): bytes += piece.bytes.count
            case .missing(let gap): precondition(gap.count > 0, "an empty gap")
            case .ended: ended += 1
            }
        }
        reader.append(script.capture)
        do {
            while let event = try reader.next() { look(at: event) }
            try reader.finish()
            while let event = try reader.next() { look(at: event) }
        } catch {
            preconditionFailure("\(error)")
        }
        precondition(bytes <= script.payloadBytes, "the reader returned more bytes than the segments have")
        precondition(opened == ended, "a conversation is lost")
    }
}
