/// Reads the messages of one flow of a PostgreSQL connection from untrusted bytes, piece by piece. A value, whose memory
/// is bounded.
struct PostgreSQLReader {
    /// The kept bytes of a body.
    private static let mostKept = 8192
    /// The longest messages: a server limits those before its authentication to 10,000 bytes, and others to 1 GiB.
    private static let longest: (untyped: UInt32, typed: UInt32) = (10_000, 1 << 30)

    private let isClient: Bool
    /// Whether messages begin with their type: all of the server, and those of the client after its startup message.
    private var hasTypes: Bool
    private var header: [UInt8] = []
    private var body: [UInt8] = []
    private var length = 0
    /// The bytes of the body that are yet to come; nil while the header is incomplete.
    private var remaining: Int?

    /// A reader of a flow from its beginning; of the client's flow, `afterStartup` begins behind the startup message.
    init(isClient: Bool, afterStartup: Bool = false) {
        self.isClient = isClient
        hasTypes = !isClient || afterStartup
    }

    /// Appends the messages that end in these bytes. False where the bytes are no messages: nothing can be read then.
    mutating func read(_ bytes: ArraySlice<UInt8>, into messages: inout [PostgreSQLMessage]) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            if remaining == nil {
                let size = hasTypes ? 5 : 4
                let part = rest.prefix(size - header.count)
                header += part
                rest = rest.dropFirst(part.count)
                guard header.count == size else { return true }
                guard begin() else { return false }
            }
            let part = rest.prefix(remaining ?? 0)
            body += part.prefix(Self.mostKept - body.count)
            rest = rest.dropFirst(part.count)
            let left = (remaining ?? 0) - part.count
            remaining = left
            if left == 0, !end(&messages) { return false }
        }
        return true
    }

    /// The header is complete.
    private mutating func begin() -> Bool {
        guard let size = header[...].number32(at: hasTypes ? 1 : 0), size >= 4,
            size <= (hasTypes ? Self.longest.typed : Self.longest.untyped),
            !hasTypes || PostgreSQLMessage.isType(header[0], fromClient: isClient)
        else { return false }
        length = Int(size) - 4
        remaining = length
        return true
    }

    /// The body is complete.
    private mutating func end(_ messages: inout [PostgreSQLMessage]) -> Bool {
        messages.append(PostgreSQLMessage(type: hasTypes ? header[0] : nil, body: body[...], length: length))
        if !hasTypes {
            guard let code = body[...].number32(at: 0) else { return false }
            guard PostgreSQLMessage.isUntyped(code) else { return false }
            hasTypes = PostgreSQLMessage.isVersion3(code)
        }
        header.removeAll(keepingCapacity: true)
        body.removeAll()
        remaining = nil
        return true
    }
}
