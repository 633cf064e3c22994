import Foundation
import Testing

/// A recording as Wireshark shows it, with the real tshark and capinfos.
struct Dissection {
    let scene: Scene
    let path: String
    /// Further options of tshark, such as a port whose protocol it cannot know.
    var options: [String] = []

    /// The checks of every run, in addition to Wireshark's own.
    private static let checks =
        ["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
        + claimedPorts.flatMap { ["-d", "tcp.port==\($0),data"] }
    /// Ports that Linux may choose for a client and that Wireshark interprets as those of a protocol: IRC, CBSP,
    /// EtherCAT and others (tshark -G decodes). Such a port is not a fault.
    private static let claimedPorts = [34980, 44321, 44322, 44818, 48049, 48898, 57000]
    /// Everything that Wireshark reports: malformed packets, wrong checksums, marks of the TCP analysis.
    private static let faulty =
        "_ws.malformed or tcp.analysis.flags or tcp.checksum.status == 0 or tcp.checksum.status == 2"
        + " or ip.checksum.status == 0"

    /// Fields of every packet that matches a filter.
    func fields(
        _ names: [String], where filter: String? = nil, within limit: Duration = .seconds(90)
    ) async throws -> [[String]] {
        let words = names.flatMap { ["-e", $0] } + (filter.map { ["-Y", $0] } ?? [])
        let text = try await scene.run(
            ["tshark"] + Self.checks + options + ["-r", path, "-T", "fields"] + words, within: limit)
        guard !text.isEmpty else { return [] }
        return text.components(separatedBy: "\n").map { $0.components(separatedBy: "\t") }
    }

    /// The number of packets that match a filter.
    func count(where filter: String) async throws -> Int {
        try await fields(["frame.number"], where: filter).count
    }

    /// The faults, packet by packet.
    func faults(within limit: Duration = .seconds(90)) async throws -> [[String]] {
        try await fields(["frame.number", "tcp.stream", "_ws.expert.message"], where: Self.faulty, within: limit)
    }

    /// The completeness of every stream at its last packet: SYN 1, SYN-ACK 2, ACK 4, data 8, FIN 16, RST 32.
    func completeness(within limit: Duration = .seconds(90)) async throws -> [Int: Int] {
        var values: [Int: Int] = [:]
        // In two passes: in a single one a packet shows what was known before it.
        for line in try await Dissection(scene: scene, path: path, options: options + ["-2"])
            .fields(["tcp.stream", "tcp.completeness"], where: "tcp", within: limit)
        {
            values[try #require(Int(line[0]))] = Int(line[1])
        }
        return values
    }

    /// The output of capinfos, by its names.
    func summary() async throws -> [String: String] {
        var facts: [String: String] = [:]
        for line in try await scene.run("capinfos", "-M", path).components(separatedBy: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon].trimmingCharacters(in: .whitespaces)
            if facts[key] == nil {
                facts[key] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
        }
        return facts
    }

    /// Fails unless Wireshark finds no fault, and every stream has the given completeness.
    func expectWhole(_ streams: [Int: Int], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let (faults, completeness) = (try await faults(), try await completeness())
        #expect(faults == [], sourceLocation: sourceLocation)
        #expect(completeness == streams, sourceLocation: sourceLocation)
        let facts = try await summary()
        #expect(facts["Strict time order"] == "True", sourceLocation: sourceLocation)
        #expect(facts["Capture application"]?.hasPrefix("tapline") == true, sourceLocation: sourceLocation)
        #expect(Int(facts["Number of interfaces in file"] ?? "") ?? 0 > 0, sourceLocation: sourceLocation)
        #expect(Int(facts["Number of packets"] ?? "") ?? 0 > 0, sourceLocation: sourceLocation)
    }
}

extension Int {
    /// The completeness of a connection that carried bytes and ended in order, and of one without bytes.
    static var whole: Int { 31 }
    static var wholeWithoutData: Int { 23 }
    /// RST in place of the FINs.
    static var resetAfterData: Int { 1 + 2 + 4 + 8 + 32 }
    /// A SYN that an RST answers and acknowledges.
    static var refused: Int { 1 + 4 + 32 }
}
