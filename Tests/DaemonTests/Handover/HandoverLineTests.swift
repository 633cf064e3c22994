import Admin
import Testing

@testable import Daemon

/// The lines of the channel between a tapline and the one that takes over.
struct HandoverLineTests {
    private let predecessor = Predecessor(id: 9365, access: .random(of: 9365))

    @Test func line_isReadAsItWasWritten() {
        let all: [HandoverLine] = [
            .ready, .yours, .predecessor(predecessor), .predecessor(Predecessor(id: 1, access: nil)),
        ]
        for line in all {
            #expect(HandoverLine(parsing: line.text) == line)
            #expect(line.text.utf8.count <= HandoverLine.longest)
            // Older versions have room for 256 bytes.
            #expect(line.text.utf8.count < 256)
        }
    }

    @Test(arguments: [
        "", " ", "yours now", "Ready", "predecessor", "predecessor pid=", "predecessor pid=0", "predecessor pid=-4",
        "predecessor pid=99999999999", "predecessor pid=7 socket=@tapline-7 token=short",
        "predecessor pid=7 socket=/tmp/x token=0123456789abcdef0123456789abcdef",
        "predecessor pid=7 socket=@other token=0123456789abcdef0123456789abcdef",
        "predecessor pid=7 socket=@tapline-7 token=0123456789abcdef0123456789abcde\r",
    ])
    func somethingElse_isNone(_ text: String) {
        #expect(HandoverLine(parsing: text) == nil)
    }

    @Test func bytes_inPiecesOfAnySize_areTheSameLines() {
        let text = Array("later x=1\nready\n\(HandoverLine.predecessor(predecessor).text)\n\nyours\nyou".utf8)
        for size in 1...text.count {
            var lines = HandoverLines()
            var found: [HandoverLine] = []
            for start in stride(from: 0, to: text.count, by: size) {
                found += lines.add(Array(text[start..<min(text.count, start + size)]))
            }
            #expect(found == [.ready, .predecessor(predecessor), .yours], "in pieces of \(size)")
        }
    }

    @Test func lineThatIsTooLong_isSkipped_andTheNextIsRead() {
        var lines = HandoverLines()
        let long = Array(repeating: UInt8(ascii: "y"), count: 3 * HandoverLine.longest)
        #expect(lines.add(long + Array("yours\nready\n".utf8)) == [.ready])
    }

    /// Nothing that comes over the channel ends the process.
    @Test func randomBytes_areNoLines() {
        var random = SystemRandomNumberGenerator()
        var lines = HandoverLines()
        for _ in 0..<200 {
            let bytes = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(lines.add(bytes).allSatisfy { $0 == .ready || $0 == .yours })
            _ = HandoverMessage(parsing: "tapline-handover 1\nchannel fd=7\n" + String(decoding: bytes, as: UTF8.self))
        }
    }
}
