import Foundation
import Testing

@testable import Tunnel

/// The fuzzer's corpus.
@Suite struct CorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fuzz/corpus/tunnel").standardizedFileURL

    @Test func corpus_hasOneResult_forAnySegmentation() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        try #require(names.count >= 12)
        for name in names {
            let bytes = Array(try Data(contentsOf: Self.folder.appendingPathComponent(name)))
            let whole = RequestReaderTests.read(bytes, piece: bytes.count)
            for piece in [1, 7, 100] {
                let reading = RequestReaderTests.read(bytes, piece: piece)
                #expect(reading.target == whole.target, "\(name) in pieces of \(piece)")
                #expect((reading.fault == nil) == (whole.fault == nil), "\(name) in pieces of \(piece)")
            }
        }
    }
}
