import Sockets
import Testing

struct OutputBufferTests {
    private func bytes(_ buffer: OutputBuffer) -> [UInt8] {
        buffer.withBytes { span in span.withUnsafeBytes { Array($0) } }
    }

    @Test func numbers_standInTheOrderAskedFor() {
        let buffer = OutputBuffer(capacity: 1)
        buffer.append(UInt8(9))
        buffer.append(littleEndian: UInt16(0x0102))
        buffer.append(littleEndian: UInt32(0x0102_0304))
        buffer.append(littleEndian: UInt64(0x0102_0304_0506_0708))
        buffer.append(bigEndian: UInt32(0x0102_0304))
        buffer.append(bigEndian: UInt64(0x0102_0304_0506_0708))
        #expect(
            bytes(buffer) == [9, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1] + [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test func patches_changeOnlyTheirBytes() {
        let buffer = OutputBuffer()
        buffer.append([1, 2, 3, 4, 5, 6, 7, 8])
        buffer.patch(littleEndian: UInt32(0x1122_3344), at: 4)
        #expect(bytes(buffer) == [1, 2, 3, 4, 0x44, 0x33, 0x22, 0x11])
        buffer.patch(bigEndian: UInt16(0xAABB), at: 0)
        #expect(bytes(buffer).prefix(3) == [0xAA, 0xBB, 3])
    }

    @Test func growing_keepsTheBytes() {
        let buffer = OutputBuffer(capacity: 3)
        var expected: [UInt8] = []
        for round in 0..<200 {
            let piece = (0..<round).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ round) }
            buffer.append(piece)
            expected += piece
        }
        #expect(bytes(buffer) == expected)
        let capacity = buffer.capacity
        buffer.removeAll()
        #expect(buffer.count == 0 && buffer.capacity == capacity)
    }

    @Test func padding_isZerosUpToAMultipleOfFour() {
        for count in 0..<9 {
            let buffer = OutputBuffer()
            buffer.append(Array(repeating: 0xFF, count: count))
            buffer.padToFour()
            let padded = (count + 3) / 4 * 4
            #expect(
                bytes(buffer)
                    == Array(repeating: 0xFF, count: count) + Array(repeating: 0, count: padded - count))
        }
    }

    @Test func summing_copiesAndSumsAsWordByWord() {
        for count in Array(0..<300) + [4095, 65_495, 65_536, 262_145] {
            var state = UInt64(count) &+ 1
            let piece = (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Many bytes are 0xFF, so that carries propagate.
                return state >> 60 < 6 ? UInt8.max : UInt8(truncatingIfNeeded: state >> 40)
            }
            let buffer = OutputBuffer()
            buffer.append(UInt8(1))
            let sum = buffer.appendSumming(piece.span.bytes)
            #expect(Array(bytes(buffer).dropFirst()) == piece)
            #expect(sum % 0xFFFF == Self.naive(piece) % 0xFFFF, "\(count) bytes")
            #expect(sum <= 0xFFFF)
        }
    }

    private static func naive(_ bytes: [UInt8]) -> UInt64 {
        bytes.enumerated().reduce(0) { $0 + UInt64($1.element) << ($1.offset % 2 == 0 ? 8 : 0) }
    }
}
