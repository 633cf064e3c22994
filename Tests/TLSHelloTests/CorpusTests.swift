import Foundation
import TLSHello
import Testing

/// The fuzzer's corpus, and its initial hellos of real programs.
@Suite struct CorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fuzz/corpus/hello").standardizedFileURL

    @Test func corpus_hasOneResult_forAnySegmentation() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        try #require(names.count >= 20)
        var complete = 0
        // The empty input is not a file, because Foundation leaks the buffer when it reads an empty file.
        for name in [""] + names {
            let bytes = name.isEmpty ? [] : Array(try Data(contentsOf: Self.folder.appendingPathComponent(name)))
            let whole = ReaderTests.read(bytes, piece: bytes.count + 1).reading
            for piece in [1, 7, 100] {
                let reading = ReaderTests.read(bytes, piece: piece).reading
                switch (whole, reading) {
                // The fault may show fewer first bytes.
                case (.faulty(.noTLS), .faulty(.noTLS)): break
                default: #expect(reading == whole, "\(name) in pieces of \(piece)")
                }
            }
            if case .complete(let hello) = whole {
                complete += 1
                #expect(Hello(beginningOf: bytes[...]) == hello, "\(name)")
            }
        }
        #expect(complete >= 8)
    }

    /// Hellos of current programs for `www.example.com` (except the last).
    @Test(
        arguments: [
            ("openssl-3.0", "www.example.com", "h2,http/1.1", 0x0304),
            ("openssl-3.0-tls-1.2", "www.example.com", "", 0x0303),
            ("gnutls-3.7", "www.example.com", "h2", 0x0304), ("curl-7.88", "www.example.com", "h2,http/1.1", 0x0304),
            ("python-3.11-split-records", "www.example.com", "", 0x0304), ("openssl-3.0-no-name", nil, "", 0x0304),
        ] as [(String, String?, String, UInt16)])
    func helloOfAProgram_hasItsFields(
        _ file: String, name: String?, applications: String, version: UInt16
    ) throws {
        let bytes = Array(try Data(contentsOf: Self.folder.appendingPathComponent(file)))
        guard case .complete(let hello) = ReaderTests.read(bytes, piece: bytes.count + 1).reading else {
            Issue.record("\(ReaderTests.read(bytes, piece: bytes.count + 1).reading)")
            return
        }
        #expect(hello.serverName.map { String(decoding: $0, as: UTF8.self) } == name)
        #expect(
            hello.applications.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",") == applications)
        #expect(hello.version == version)
    }
}
