import Testing
import Text

struct HexDumpTests {
    private func dump(_ bytes: [UInt8], from offset: UInt64) -> String {
        var text = Array("before\n".utf8)
        text.append(hexDump: bytes, from: offset)
        return String(String(decoding: text, as: UTF8.self).dropFirst(7))
    }

    /// The same, written plainly.
    private func expected(_ bytes: [UInt8], from offset: UInt64) -> String {
        func hex(_ number: UInt64, _ width: Int) -> String {
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 16) {
            let row = bytes[start..<min(start + 16, bytes.count)]
            var cells = (0..<16).map { start + $0 < row.endIndex ? " \(hex(UInt64(row[start + $0]), 2))" : "   " }
            cells.insert(" ", at: 8)
            let characters = row.map { $0 >= 0x20 && $0 < 0x7F ? String(Unicode.Scalar($0)) : "." }.joined()
            text += "\(hex(offset &+ UInt64(start), 8)) \(cells.joined())  |\(characters)|\n"
        }
        return text
    }

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 300]) func dump_hasOffsetBytesAndCharacters(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for offset in [0, 5, 0xFFFF_FFF0, 0xFFFF_FFF1, 0x1_0000_0000, .max - 20] as [UInt64] {
            #expect(dump(bytes, from: offset) == expected(bytes, from: offset))
        }
    }
}
