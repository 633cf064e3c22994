internal import Sockets
internal import TLSHello

/// Recognises TLS by its ClientHello, with the server name, version and application protocol. The hello may span
/// several records and segments; a truncated one yields the fields present.
enum TLSRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        if let detail = detail(upgraded: up, down) { return Protocol(.tls, withoutPrefix(detail)) }
        guard up.isEmpty, let answer = hello(of: .server, in: down) else { return nil }
        return Protocol(.tls, version(of: answer).map(withoutPrefix))
    }

    /// The detail from a ClientHello and the ServerHello; also for protocols that upgrade to TLS.
    static func detail(upgraded up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> String? {
        guard let hello = hello(of: .client, in: up) else { return nil }
        let version = self.hello(of: .server, in: down).flatMap(version) ?? version(of: hello)
        let name = hello.serverName.flatMap { $0[...].isPrintable ? $0[...].text : nil }
        let application = hello.applications.first.flatMap { $0[...].isPrintable ? $0[...].text : nil }
        return [name, version, application].compactMap { $0 }.joined(separator: ", ")
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
