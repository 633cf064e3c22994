import Foundation
import ProxyProtocol
import Testing

/// The fuzzer's corpus, and its initial headers of every kind.
@Suite struct CorpusTests {
    @Test func corpus_hasOneResult_forAnySegmentation() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fuzz/corpus/proxy").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        try #require(names.count >= 20)
        var complete = 0
        // The empty input is not a file, because Foundation leaks the buffer when it reads an empty file.
        for name in [""] + names {
            let bytes = name.isEmpty ? [] : Array(try Data(contentsOf: folder.appendingPathComponent(name)))
            let whole = ProxyHeader.read(bytes)
            // Reading byte by byte has the same final result, which never changes.
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
