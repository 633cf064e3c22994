import Foundation
import Testing

/// The interfaces of a relay's recording with encrypted legs.
enum EncryptedLegs {
    static let (client, upstream) = ("web (encrypted, client)", "web (encrypted, upstream)")
    /// The plaintext and both legs.
    static let all = ["web", client, upstream]
}

extension Scene {
    /// The packets that tshark finds with a filter, without any option about keys: the interfaces that they are on.
    func interfaces(in path: String, where filter: String, _ options: [String] = []) async throws -> [String] {
        let output = try await run(
            ["tshark", "-r", path] + options + ["-Y", filter, "-T", "fields", "-e", "frame.interface_name"])
        return output.split(separator: "\n").map { Self.name(ofInterface: String($0)) }
    }

    /// An interface's name without the listener's address.
    private static func name(ofInterface text: String) -> String {
        let words = text.components(separatedBy: " ")
        let isAddress = words.last?.contains(":") ?? false
        return (isAddress ? words.dropLast() : words[...]).joined(separator: " ")
    }

    /// Ends Tapline; the only recording of its directory `recordings`.
    func recording(of tapline: TaplineProcess) async throws -> String {
        try await tapline.stop()
        let paths = try recordings(in: path("recordings"))
        #expect(paths.count == 1)
        return try #require(paths.first)
    }
}
