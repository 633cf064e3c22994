import Foundation

/// An end record, parsed from its JSON line.
struct EndRecord: Decodable, Equatable {
    var time: String
    var id: UInt64
    var relay: String
    var generation: Int
    var client: String
    var listener: String
    var upstream: String
    var upstreamAddress: String?
    var bytesUp: UInt64
    var bytesDown: UInt64
    var durationMs: Int
    var connectMs: Int?
    var firstByteMs: Int?
    var closedBy: String
    var reason: String
    var errno: String?
    var recordedBytes: UInt64?
    var droppedBytes: UInt64?
    var proxiedBy: String?
    var uniqueId: String?
    var serverName: String?
    var alpn: String?
    var waitedFor: String?
    var heldBytes: UInt64?
    var waitedMs: UInt64?
    var heldMs: UInt64?
    var attempts: UInt64
    var tls: String?
    var tlsPeer: String?
    var upstreamTls: String?
    var upstreamTlsPeer: String?
    var tlsFault: String?

    /// The keys of the contract, in order.
    static let keys = [
        "time", "id", "relay", "generation", "client", "listener", "upstream", "upstream_address", "bytes_up",
        "bytes_down", "duration_ms", "connect_ms", "first_byte_ms", "closed_by", "reason", "errno", "recorded_bytes",
        "dropped_bytes", "proxied_by", "unique_id", "server_name", "alpn", "waited_for", "held_bytes", "waited_ms",
        "held_ms", "attempts",
        "tls", "tls_peer", "upstream_tls", "upstream_tls_peer", "tls_fault",
    ]

    init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(EndRecord.self, from: Data(json.utf8))
    }

    /// Whether a line of the output is an end record.
    @Sendable
    static func isRecord(_ line: String) -> Bool { line.contains("\"closed_by\":") }
}
