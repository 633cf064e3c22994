import Foundation
import Testing

extension [String: [EndRecord]] {
    /// Returns and removes the first record of a client.
    fileprivate mutating func removeFirst(of client: String?) -> EndRecord? {
        guard let client, let records = self[client], let first = records.first else { return nil }
        self[client] = Array(records.dropFirst())
        return first
    }
}

/// A run of `Peers/transfers.py`.
struct Transfers {
    /// The result of one transfer.
    struct Outcome: Decodable {
        var number: Int
        var first: String
        var up: UInt64
        var down: UInt64
        var client: String?
        var trouble: String?
        /// The hashes of the flows, with `--hashes`.
        var upHash: String?
        var downHash: String?
    }

    let program: Program

    init(in scene: Scene, _ options: [String]) throws {
        program = try scene.start(Scene.peer("transfers.py") + options)
    }

    /// Runs every transfer and compares it with its end record.
    @discardableResult
    func play(
        through tapline: TaplineProcess, count: Int, seed: String
    ) async throws -> [(outcome: Outcome, record: EndRecord)] {
        program.write(tapline.address + "\n")
        _ = try await program.output.line(containing: "\"done\"", within: .seconds(600))
        let outcomes = try program.output.all.filter { $0.contains("\"number\"") }
            .map { try JSONDecoder().decode(Outcome.self, from: Data($0.utf8)) }
        #expect(outcomes.count == count)
        let records = try await tapline.records(count)
        // A port may be reused while other transfers still run, but not before its record was written.
        var recordsOf = Dictionary(grouping: records.sorted { $0.id < $1.id }, by: \.client)
        var pairs: [(outcome: Outcome, record: EndRecord)] = []
        for outcome in outcomes {
            let place: Comment = "transfer \(outcome.number) of TAPLINE_SEED=\(seed)"
            let ofItsClient = recordsOf.removeFirst(of: outcome.client)
            let record = try #require(ofItsClient, place)
            pairs.append((outcome, record))
            if let trouble = outcome.trouble {
                Issue.record(Comment(rawValue: "\(place): \(trouble); \(record)"))
                continue
            }
            #expect(record.bytesUp == outcome.up && record.bytesDown == outcome.down, place)
            if outcome.first == "both" {
                #expect(["client_closed", "upstream_closed"].contains(record.reason), place)
            } else {
                #expect(record.reason == "\(outcome.first)_closed" && record.closedBy == outcome.first, place)
            }
        }
        return pairs
    }
}
