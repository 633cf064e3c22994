/// Recognises PostgreSQL by the client's first message (PostgreSQL's documentation, "Message Formats").
enum PostgreSQLRecogniser {
    private static let version3: UInt32 = 196_608
    private static let sslRequest: UInt32 = 80_877_103
    private static let gssRequest: UInt32 = 80_877_104
    private static let cancelRequest: UInt32 = 80_877_102

    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard let length = up.number32(at: 0), let code = up.number32(at: 4), length >= 8, length <= 10_000 else {
            return nil
        }
        switch code {
        // Version 3.0 and later minor versions.
        case version3...(version3 + 99): return parameters(up.prefix(Int(length))).map { Protocol(.postgreSQL, $0) }
        case sslRequest where length == 8:
            guard down.byte(at: 0) == UInt8(ascii: "S") else {
                return recognise(up.rest(from: 8), down.rest(from: 1)) ?? Protocol(.postgreSQL, "asks for TLS")
            }
            let hello = TLSRecogniser.detail(upgraded: up.rest(from: 8), down.rest(from: 1))
            return Protocol(.postgreSQL, hello.map { "over TLS, \($0)" } ?? "over TLS")
        case gssRequest where length == 8:
            return recognise(up.rest(from: 8), down.rest(from: 1)) ?? Protocol(.postgreSQL, "asks for GSSAPI")
        case cancelRequest where length == 16: return Protocol(.postgreSQL, "cancels a query")
        default: return nil
        }
    }

    /// The user and database of a startup message; nil without the mandatory user.
    private static func parameters(_ message: ArraySlice<UInt8>) -> String? {
        var position = 8
        var words: [String] = []
        while let key = message.textToNUL(from: position), !key.isEmpty {
            position += key.utf8.count + 1
            guard let value = message.textToNUL(from: position) else { break }
            position += value.utf8.count + 1
            if key == "user" || key == "database" { words.append("\(key)=\(value)") }
        }
        return words.contains { $0.hasPrefix("user=") } ? words.joined(separator: " ") : nil
    }
}
