/// Recognises PostgreSQL by the client's first message (PostgreSQL's documentation, "Message Formats").
enum PostgreSQLRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard let length = up.number32(at: 0), let code = up.number32(at: 4), length >= 8, length <= 10_000 else {
            return nil
        }
        switch code {
        case _ where PostgreSQLMessage.isVersion3(code):
            guard let parameters = PostgreSQLMessage.parameters(up.prefix(Int(length)), from: 8) else { return nil }
            let words = [parameters] + PostgreSQLSummary.words(up.rest(from: Int(length)), down)
            return Protocol(.postgreSQL, words.joined(separator: "; "))
        case PostgreSQLMessage.sslRequest where length == 8:
            guard down.byte(at: 0) == UInt8(ascii: "S") else {
                return recognise(up.rest(from: 8), down.rest(from: 1)) ?? Protocol(.postgreSQL, "requests TLS")
            }
            let hello = TLSRecogniser.detail(upgraded: up.rest(from: 8), down.rest(from: 1))
            return Protocol(.postgreSQL, hello.map { "over TLS, \($0)" } ?? "over TLS")
        case PostgreSQLMessage.gssRequest where length == 8:
            return recognise(up.rest(from: 8), down.rest(from: 1)) ?? Protocol(.postgreSQL, "requests GSSAPI")
        case PostgreSQLMessage.cancelRequest where length == 16: return Protocol(.postgreSQL, "cancels a query")
        default: return nil
        }
    }
}
