import CFuzzer
import Recording

/// Passes libFuzzer's input to the reader of recordings. The first byte sets the size of the pieces of the rest.
///
/// Fails if the reader traps or never ends, or returns more bytes than the capture has.
@main
enum RecordingFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            RecordingFuzz.read(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
    }

    private static func read(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let piece = first == 0 ? input.count : Int(first)
        let capture = input.dropFirst()
        let reader = RecordingReader()
        var bytes = 0
        do {
            var rest = capture
            while !rest.isEmpty {
                reader.append(Array(rest.prefix(piece)))
                rest = rest.dropFirst(piece)
                while let event = try reader.next() { bytes += look(at: event) }
            }
        } catch {
            // An error is a valid result for an invalid capture.
        }
        try? reader.finish()
        while let event = try? reader.next() { bytes += look(at: event) }
        precondition(bytes <= capture.count, "the reader returned more bytes than the capture has")
    }

    private static func look(at event: RecordingEvent) -> Int {
        switch event {
        case .opened, .missing: return 0
        case .bytes(let piece): return piece.bytes.count
        case .ended(let conversation):
            precondition(!"\(conversation.protocol)".isEmpty && conversation.duration >= 0)
            return 0
        }
    }
}
