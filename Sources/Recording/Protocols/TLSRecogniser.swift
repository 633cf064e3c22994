internal import Sockets
internal import TLSHello

/// TLS by its ClientHello, with the server's name, the version and the application protocols. The hello may lie in several
/// records and segments, and of one that is cut is told what is there.
enum TLSRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        if let detail = detail(upgraded: up, down) { return Protocol(.tls, behindItsName(detail)) }
        guard up.isEmpty, let answer = hello(of: .server, in: down) else { return nil }
        return Protocol(.tls, version(of: answer).map(behindItsName))
    }

    /// What stands in a ClientHello and the answer to it; also for protocols that turn to TLS later.
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

    /// A detail as it reads behind the word TLS.
    private static func behindItsName(_ detail: String) -> String {
        detail.hasPrefix("TLS ") ? String(detail.dropFirst(4)) : detail
    }
}
