internal import Sockets
internal import TLSHello

/// Recognises TLS by its ClientHello, with the server name, version and application protocol. The hello may span
/// several records and segments; a truncated one yields the fields present.
enum TLSRecogniser {
    /// `chosen`: the application protocol, if it is known from elsewhere; empty: none was chosen.
    static func recognise(
        _ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>, chosen: String? = nil
    ) -> Protocol? {
        if let detail = detail(upgraded: up, down, chosen: chosen) { return Protocol(.tls, withoutPrefix(detail)) }
        guard up.isEmpty, let answer = hello(of: .server, in: down) else { return nil }
        return Protocol(.tls, version(of: answer).map(withoutPrefix))
    }

    /// The detail from a ClientHello and the ServerHello; also for protocols that upgrade to TLS.
    static func detail(
        upgraded up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>, chosen: String? = nil
    ) -> String? {
        guard let hello = hello(of: .client, in: up) else { return nil }
        let answer = self.hello(of: .server, in: down)
        let version = answer.flatMap(version) ?? version(of: hello)
        let name = hello.serverName.flatMap { $0[...].isPrintable ? $0[...].text : nil }
        return [name, version, application(hello, answer, chosen)].compactMap { $0 }.joined(separator: ", ")
    }

    /// The application protocol that was chosen; where that is encrypted, as with TLS 1.3, or there is no answer, what the
    /// client offers.
    private static func application(_ hello: Hello, _ answer: Hello?, _ chosen: String?) -> String? {
        if let chosen { return chosen.isEmpty ? nil : chosen }
        if let name = answer?.applications.first { return name[...].isPrintable ? name[...].text : nil }
        if let version = answer?.version, version < 0x0304 { return nil }
        let offered = hello.applications.prefix(3).filter { $0[...].isPrintable }.map { $0[...].text }
        return offered.isEmpty ? nil : "offers " + offered.joined(separator: " ")
    }

    private static func hello(of side: Hello.Side, in bytes: ArraySlice<UInt8>) -> Hello? {
        Hello(beginningOf: bytes).flatMap { $0.side == side ? $0 : nil }
    }

    private static func version(of hello: Hello) -> String? {
        hello.version.flatMap(Hello.name)
    }

    /// A detail without a leading "TLS ", because it follows that word.
    private static func withoutPrefix(_ detail: String) -> String {
        detail.hasPrefix("TLS ") ? String(detail.dropFirst(4)) : detail
    }
}
