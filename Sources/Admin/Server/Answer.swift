internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// The answer to a request.
struct Answer: Sendable {
    /// The body.
    enum Content: Sendable {
        /// These bytes.
        case whole([UInt8])
        /// Bytes that are produced piece by piece while they are sent.
        case pieces(@Sendable (inout PieceWriter) async throws -> Void)
    }

    var status = 200
    var type = "application/json"
    var fields: [String: String] = [:]
    let content: Content

    /// JSON.
    static func json(_ bytes: [UInt8], status: Int = 200) -> Answer {
        Answer(status: status, content: .whole(bytes))
    }

    /// The types of answers without an end; others may be sent in pieces too.
    private static let streamTypes: Set<String> = [Responder.eventsType, Responder.tapType]

    /// Whether an answer with these fields lasts until its client leaves.
    static func isStream(_ fields: HTTPFields) -> Bool {
        fields[.contentType].map(streamTypes.contains) ?? false
    }

    /// An answer that lasts until its client leaves. It keeps its slot while it exists, started or not.
    static func stream(
        _ type: String, _ slot: StreamSlot, _ make: @escaping @Sendable (inout PieceWriter) async throws -> Void
    ) -> Answer {
        Answer(
            type: type,
            content: .pieces { pieces in
                defer { withExtendedLifetime(slot) {} }
                try await make(&pieces)
            })
    }

    /// An error.
    static func error(_ error: AdminError) -> Answer {
        Answer(status: error.status, fields: error.fields, content: .whole(error.json))
    }

    /// Writes it as the response.
    func write(to writer: consuming ResponseWriter) async throws {
        let response = Response(status: .init(code: status), headers: headers, body: body)
        try await writer.write(response: response.head, body: response.body)
    }

    /// The header fields, without the length.
    var headers: HTTPFields {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }

    private var body: ResponseBody {
        switch content {
        case .whole(let bytes):
            ResponseBody(byteBuffer: NIOCore.ByteBuffer(bytes: bytes))
        case .pieces(let make):
            ResponseBody { writer in
                var pieces = PieceWriter(writer: writer)
                try await make(&pieces)
                try await pieces.writer.finish(nil)
            }
        }
    }
}

/// Sends the pieces of an answer at the client's pace.
struct PieceWriter {
    fileprivate var writer: any ResponseBodyWriter

    /// Sends a piece. Throws when the client has gone.
    mutating func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        try await writer.write(NIOCore.ByteBuffer(bytes: bytes))
    }
}
