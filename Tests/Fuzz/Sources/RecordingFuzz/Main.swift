import CFuzzer
import Recording

/// Feeds the reader of recordings with what libFuzzer makes up.
///
/// The first byte says in what pieces the rest arrives; what is found is that the reader traps, never ends, or gives back
/// more bytes than a capture can hold.
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
            // An error is a good answer to nonsense.
        }
        try? reader.finish()
        while let event = try? reader.next() { bytes += look(at: event) }
        precondition(bytes <= capture.count, "the reader made up bytes")
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
