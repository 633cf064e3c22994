import Recording
import Sockets

/// The bytes alone, in the order in which they passed.
struct RawView: RecordingView {
    private(set) var note: String?

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        note = nil
        switch event {
        case .opened, .ended: break
        case .bytes(let piece): output += piece.bytes
        case .missing(let gap):
            let bytes = gap.count == 1 ? "byte is" : "bytes are"
            note = "connection \(gap.id), \(gap.direction.rawValue): \(gap.count) \(bytes) missing here"
        }
    }
}
