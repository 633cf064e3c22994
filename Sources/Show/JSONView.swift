package import Recording
import Sockets
import Text

/// One object per line: `id`, `flow`, `time` and `data` in Base64. For missing bytes `data` is empty and `missing` is
/// their number.
package struct JSONView: RecordingView {
    package init() {}

    package mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened, .ended: break
        case .bytes(let piece):
            append(piece.id, piece.direction, piece.time, piece.bytes, missing: nil, in: &output)
        case .missing(let gap):
            append(gap.id, gap.direction, gap.time, [], missing: gap.count, in: &output)
        }
    }

    private func append(
        _ id: UInt64, _ direction: Direction, _ time: Timestamp, _ data: ArraySlice<UInt8>, missing: UInt64?,
        in output: inout [UInt8]
    ) {
        var line = FieldLine(.json, in: &output)
        line.add("id", number: id, to: &output)
        line.add("flow", direction.rawValue, to: &output)
        line.add("time", time, to: &output)
        line.add("data", base64: data, to: &output)
        if let missing { line.add("missing", number: missing, to: &output) }
        line.end(in: &output)
    }
}
