import Sockets
import Text

/// Formats traffic as lines. Confined to the thread that prints.
package struct TrafficPrinter {
    private let view: TrafficView
    private let terminal: TerminalTraits
    /// The offset that each flow of an open connection has reached.
    private var offsets: [Traffic.Flow: UInt64] = [:]

    /// A printer for an output of the given traits.
    package init(view: TrafficView, terminal: TerminalTraits) {
        self.view = view
        self.terminal = terminal
    }

    /// Appends the lines of a piece of traffic; whole lines only.
    package mutating func append(_ traffic: Traffic, to lines: inout [UInt8]) {
        switch traffic {
        case .passed(let flow, let bytes, let time, let unseen):
            if unseen > 0 {
                appendGap(unseen, "not shown, too many waited to be printed", of: flow, at: time, to: &lines)
            }
            let offset = offsets[flow, default: 0] &+ unseen
            offsets[flow] = offset &+ UInt64(bytes.count)
            appendHeader(flow, at: time, to: &lines)
            lines.append(decimal: bytes.count)
            lines.append(bytes.count == 1 ? " byte" : " bytes")
            endHeader(in: &lines)
            switch view {
            case .text: lines.append(printable: bytes, showsUnicode: terminal.showsUnicode)
            case .hex: appendHex(bytes, from: offset, to: &lines)
            }
        case .missing(let flow, let count, let time):
            offsets[flow, default: 0] &+= count
            appendGap(count, "missing from the recording", of: flow, at: time, to: &lines)
        case .omitted(let omitted, let time):
            // `…, 123 bytes of 4 connections omitted, too much waited to be printed`
            time.append(to: &lines)
            lines.append(" ")
            lines.append(decimal: omitted.bytes)
            lines.append(omitted.bytes == 1 ? " byte of " : " bytes of ")
            lines.append(decimal: omitted.connections)
            lines.append(omitted.connections == 1 ? " connection" : " connections")
            lines.append(" omitted, too much waited to be printed\n")
        case .ended(let connection, let unseenUp, let unseenDown, let time):
            for (direction, unseen) in [(Direction.up, unseenUp), (.down, unseenDown)] {
                let flow = Traffic.Flow(connection: connection, direction: direction)
                offsets[flow] = nil
                guard unseen > 0 else { continue }
                appendGap(unseen, "not shown, too many waited to be printed", of: flow, at: time, to: &lines)
            }
        }
    }

    // MARK: Headers

    /// `…, 123 bytes missing from the recording`
    private func appendGap(
        _ count: UInt64, _ cause: String, of flow: Traffic.Flow, at time: Timestamp, to lines: inout [UInt8]
    ) {
        appendHeader(flow, at: time, to: &lines)
        lines.append(decimal: count)
        lines.append(count == 1 ? " byte " : " bytes ")
        lines.append(cause)
        endHeader(in: &lines)
    }

    /// `2026-11-22T20:15:00.123Z #7 client → upstream, `
    private func appendHeader(_ flow: Traffic.Flow, at time: Timestamp, to lines: inout [UInt8]) {
        if terminal.showsColor { lines.append(flow.direction == .up ? "\u{1B}[36m" : "\u{1B}[32m") }
        time.append(to: &lines)
        lines.append(" #")
        lines.append(decimal: flow.connection)
        switch (flow.direction, terminal.showsUnicode) {
        case (.up, true): lines.append(" client → upstream, ")
        case (.up, false): lines.append(" client > upstream, ")
        case (.down, true): lines.append(" client ← upstream, ")
        case (.down, false): lines.append(" client < upstream, ")
        }
    }

    private func endHeader(in lines: inout [UInt8]) {
        if terminal.showsColor { lines.append("\u{1B}[0m") }
        lines.append("\n")
    }

    // MARK: Hex

    private func appendHex(_ bytes: [UInt8], from offset: UInt64, to lines: inout [UInt8]) {
        for start in stride(from: 0, to: bytes.count, by: 16) {
            let row = bytes[start..<min(start + 16, bytes.count)]
            lines.append(hexadecimal: offset &+ UInt64(start), width: 8)
            lines.append(" ")
            for column in 0..<16 {
                if column == 8 { lines.append(" ") }
                if start + column < row.endIndex {
                    lines.append(" ")
                    lines.append(hexadecimal: row[start + column], width: 2)
                } else {
                    lines.append("   ")
                }
            }
            lines.append("  |")
            for byte in row { lines.append(byte >= 0x20 && byte < 0x7F ? byte : UInt8(ascii: ".")) }
            lines.append("|\n")
        }
    }
}
