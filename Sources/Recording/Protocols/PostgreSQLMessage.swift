/// A message of PostgreSQL's protocol 3 (PostgreSQL's documentation, "Message Formats"), whose body may be cut.
struct PostgreSQLMessage {
    /// The type; nil for the messages of a client before its startup message, and for that one.
    var type: UInt8?
    /// The beginning of the body.
    var body: ArraySlice<UInt8>
    /// The length of the complete body.
    var length: Int

    // MARK: Untyped messages

    static let version3: UInt32 = 196_608
    static let sslRequest: UInt32 = 80_877_103
    static let gssRequest: UInt32 = 80_877_104
    static let cancelRequest: UInt32 = 80_877_102

    /// Whether a code is that of version 3.0 or a later minor version.
    static func isVersion3(_ code: UInt32) -> Bool { (version3...version3 + 99).contains(code) }

    /// Whether a code is that of an untyped message.
    static func isUntyped(_ code: UInt32) -> Bool {
        isVersion3(code) || [sslRequest, gssRequest, cancelRequest].contains(code)
    }

    /// The user and database of a startup message, whose parameters begin at an offset; nil without the mandatory user.
    static func parameters(_ message: ArraySlice<UInt8>, from offset: Int) -> String? {
        var position = offset
        var words: [String] = []
        while let key = message.textToNUL(from: position), !key.isEmpty {
            position += key.utf8.count + 1
            guard let value = message.textToNUL(from: position) else { break }
            position += value.utf8.count + 1
            if key == "user" || key == "database" { words.append("\(key)=\(value)") }
        }
        return words.contains { $0.hasPrefix("user=") } ? words.joined(separator: " ") : nil
    }

    // MARK: Fields

    /// The statement of a Query or a Parse message; nil for other messages.
    var statement: String? {
        switch type {
        case UInt8(ascii: "Q"): text(at: 0)
        case UInt8(ascii: "P"): body.textToNUL(from: 0).map { text(at: $0.utf8.count + 1) }
        default: nil
        }
    }

    /// Severity, code and message of an error or a notice: `ERROR 42P01: relation "x" does not exist`.
    var report: String {
        var fields: [UInt8: String] = [:]
        var rest = body
        while let code = rest.first, code != 0 {
            rest = rest.dropFirst()
            fields[code] = fields[code] ?? rest.prefix { $0 != 0 }.text
            guard let end = rest.firstIndex(of: 0) else { break }
            rest = rest[(end + 1)...]
        }
        // `V` is the severity that is not translated, since version 9.6.
        let words = [fields[UInt8(ascii: "V")] ?? fields[UInt8(ascii: "S")], fields[UInt8(ascii: "C")]]
        let head = words.compactMap(\.self).joined(separator: " ")
        guard let message = fields[UInt8(ascii: "M")] else { return head }
        return head.isEmpty ? message : "\(head): \(message)"
    }

    /// The text at an offset, to the next NUL or to the cut.
    private func text(at offset: Int) -> String {
        let rest = body.rest(from: offset)
        let isCut = rest.count == body.count - offset && body.count < length && !rest.contains(0)
        return rest.prefix { $0 != 0 }.text + (isCut ? "…" : "")
    }

    // MARK: A line

    /// The message in a line: its name, and what it says.
    func line(from client: Bool) -> String {
        guard let type else { return untyped }
        return client ? clientLine(type) : serverLine(type)
    }

    private var untyped: String {
        guard let code = body.number32(at: 0) else { return "Startup" }
        switch code {
        case Self.sslRequest: return "SSLRequest"
        case Self.gssRequest: return "GSSENCRequest"
        case Self.cancelRequest: return "CancelRequest"
        default: return "Startup: \(Self.parameters(body, from: 4) ?? "no user")"
        }
    }

    private func clientLine(_ type: UInt8) -> String {
        let name = Self.clientNames[type] ?? "Message"
        switch type {
        case UInt8(ascii: "Q"), UInt8(ascii: "P"): return "\(name): \(statement ?? "…")"
        case UInt8(ascii: "p"): return "\(name), not shown"
        case UInt8(ascii: "d"): return "\(name), \(length) bytes"
        case UInt8(ascii: "f"): return "\(name): \(text(at: 0))"
        default: return name
        }
    }

    private func serverLine(_ type: UInt8) -> String {
        let name = Self.serverNames[type] ?? "Message"
        switch type {
        case UInt8(ascii: "E"), UInt8(ascii: "N"): return "\(name): \(report)"
        case UInt8(ascii: "C"): return "\(name): \(text(at: 0))"
        case UInt8(ascii: "S"):
            guard let key = body.textToNUL(from: 0) else { return name }
            return "\(name): \(key)=\(text(at: key.utf8.count + 1))"
        case UInt8(ascii: "R"): return body.number32(at: 0) == 0 ? "AuthenticationOk" : name
        case UInt8(ascii: "T"): return "\(name): \(columns)"
        case UInt8(ascii: "D"): return "\(name): \(values)"
        case UInt8(ascii: "d"): return "\(name), \(length) bytes"
        default: return name
        }
    }

    /// The names of a row's columns.
    private var columns: String {
        list { rest in
            guard let name = rest.textToNUL(from: 0) else { return nil }
            // Table, column, type, size, modifier, format.
            rest = rest.rest(from: name.utf8.count + 1 + 18)
            return name
        }
    }

    /// The values of a row, as text.
    private var values: String {
        list { rest in
            guard let size = rest.number32(at: 0) else { return nil }
            rest = rest.rest(from: 4)
            guard size != UInt32.max else { return "NULL" }
            guard let value = rest.part(at: 0, count: Int(size)) else { return nil }
            rest = rest.rest(from: Int(size))
            return value.text
        }
    }

    /// The elements of a list that begins with their number.
    private func list(_ next: (inout ArraySlice<UInt8>) -> String?) -> String {
        var elements: [String] = []
        var rest = body.rest(from: 2)
        for _ in 0..<(body.number16(at: 0) ?? 0) {
            guard let element = next(&rest) else {
                elements.append("…")
                break
            }
            elements.append(element)
        }
        return elements.joined(separator: ", ")
    }

    // MARK: Names

    /// Whether a byte is the type of a message from the client, or from the server.
    static func isType(_ type: UInt8, fromClient client: Bool) -> Bool {
        (client ? clientNames : serverNames)[type] != nil
    }

    private static let clientNames = names([
        "B": "Bind", "C": "Close", "c": "CopyDone", "d": "CopyData", "D": "Describe", "E": "Execute", "f": "CopyFail",
        "F": "FunctionCall", "H": "Flush", "p": "Password", "P": "Parse", "Q": "Query", "S": "Sync", "X": "Terminate",
    ])

    private static let serverNames = names([
        "1": "ParseComplete", "2": "BindComplete", "3": "CloseComplete", "A": "NotificationResponse",
        "c": "CopyDone", "C": "CommandComplete", "d": "CopyData", "D": "DataRow", "E": "ErrorResponse",
        "G": "CopyInResponse", "H": "CopyOutResponse", "I": "EmptyQueryResponse", "K": "BackendKeyData",
        "n": "NoData", "N": "NoticeResponse", "R": "Authentication", "s": "PortalSuspended", "S": "ParameterStatus",
        "t": "ParameterDescription", "T": "RowDescription", "v": "NegotiateProtocolVersion",
        "V": "FunctionCallResponse", "W": "CopyBothResponse", "Z": "ReadyForQuery",
    ])

    private static func names(_ names: [Character: String]) -> [UInt8: String] {
        Dictionary(uniqueKeysWithValues: names.compactMap { key, name in key.asciiValue.map { ($0, name) } })
    }
}
