import Configuration
import Foundation
import Sockets
import Testing
import Text

/// The fuzzer's corpus: mistakes of every kind, and inputs on which a reader once failed.
struct CorpusTests {
    @Test func configurations_areReadInOneWay_orRefusedWithAReason() throws {
        var good = 0
        for (name, bytes) in try corpus("configuration") {
            let outcomes = (1...2).map { _ in
                Result { () throws(ConfigurationErrors) in
                    let text = ConfigurationText(path: "fuzz.yaml", directory: "/fuzz", bytes: bytes)
                    return try Configuration.parse(text, environment: ["NAME": "a", "PORT": "8080", "EMPTY": ""])
                        .configuration
                }
            }
            #expect(outcomes[0] == outcomes[1], "\(name)")
            switch outcomes[0] {
            case .success: good += 1
            case .failure(let errors):
                #expect(!errors.problems.isEmpty && errors.problems.allSatisfy { !$0.message.isEmpty }, "\(name)")
                // Each problem is one line, whatever the text contains.
                #expect(errors.description.split(separator: "\n").count == errors.problems.count, "\(name)")
            }
            _ = try? RecordSettings.parse(bytes, changing: nil, directory: "/fuzz")
        }
        #expect(good > 0)
    }

    @Test func values_thatAreAccepted_readAsWhatIsWritten() throws {
        var good = 0
        for (name, bytes) in try corpus("value") {
            let text = String(decoding: bytes, as: UTF8.self)
            _ = try? ForwardSpec.relays(text.split(separator: "\n").map(String.init), directory: "/fuzz")
            if let listen = try? ListenAddress(parsing: text, directory: "/fuzz") {
                #expect(try ListenAddress(parsing: "\(listen)", directory: "/other") == listen, "\(name)")
                good += 1
            }
            if let upstream = try? UpstreamAddress(parsing: text, directory: "/fuzz") {
                #expect(try UpstreamAddress(parsing: "\(upstream)", directory: "/other") == upstream, "\(name)")
                good += 1
            }
            if let network = Network(text) { #expect(Network("\(network)") == network, "\(name)") }
            if let duration = try? DurationText.parse(text) {
                #expect(try DurationText.parse(DurationText.text(of: duration)) == duration, "\(name)")
            }
            if let size = try? SizeText.parse(text, in: 0...(.max)) {
                #expect(try SizeText.parse(SizeText.text(of: size), in: 0...(.max)) == size, "\(name)")
            }
        }
        #expect(good >= 10)
    }

    private func corpus(_ kind: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fuzz/corpus/\(kind)").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        try #require(names.count >= 20)
        return try names.map { ($0, Array(try Data(contentsOf: folder.appendingPathComponent($0)))) }
    }
}
