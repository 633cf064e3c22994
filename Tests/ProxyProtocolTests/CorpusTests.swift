import Foundation
import ProxyProtocol
import Testing

/// What the fuzzer has found worth keeping, and headers of every kind that it began with.
@Suite struct CorpusTests {
    @Test func corpus_isReadInOneWay_howeverItComes() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fuzz/corpus/proxy").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        try #require(names.count >= 20)
        var complete = 0
        // Nothing at all is an input, too; as a file Foundation would leak what it read that into.
        for name in [""] + names {
            let bytes = name.isEmpty ? [] : Array(try Data(contentsOf: folder.appendingPathComponent(name)))
            let whole = ProxyHeader.read(bytes)
            // Byte by byte it comes to the same, and never changes its mind.
            let first = (0...bytes.count).lazy.map { ProxyHeader.read(Array(bytes.prefix($0))) }
                .first { $0 != .incomplete }
            switch (whole, first) {
            case (.incomplete, nil):
                break
            case (.complete(let header, let length), _):
                complete += 1
                #expect(first == whole, "\(name)")
                #expect(length <= ProxyHeader.longest, "\(name)")
                #expect(header.extensions.reduce(0) { $0 + 3 + $1.value.count } <= length, "\(name)")
                let again = header.bytes
                #expect(ProxyHeader.read(again) != .incomplete, "\(name)")
            case (.faulty, .faulty):
                break
            default:
                Issue.record("\(name): \(whole), byte by byte \(String(describing: first))")
            }
        }
        #expect(complete >= 10)
    }
}
