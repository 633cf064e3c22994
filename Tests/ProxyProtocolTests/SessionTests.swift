import ProxyProtocol
import Sockets
import Testing

/// What a header says about a TLS session.
@Suite struct SessionTests {
    private func header(_ extensions: [ProxyHeader.Extension] = []) -> ProxyHeader {
        // Readers skip everything after an unknown family of addresses.
        ProxyHeader(
            version: .v2,
            endpoints: .init(
                source: .ipv4(IPv4Address(bits: 0x7F00_0001), port: 1),
                destination: .ipv4(IPv4Address(bits: 0x7F00_0001), port: 2)),
            extensions: extensions)
    }

    @Test func session_isReadAsItWasWritten() throws {
        var session = ProxyHeader.Session(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", hasCertificate: true)
        session.commonName = "alice"
        session.serverName = "a.example"
        session.application = "h2"
        var header = header()
        header.set(session)
        guard case .complete(let read, _) = ProxyHeader.read(header.bytes) else {
            Issue.record("not read")
            return
        }
        #expect(read.tlsVersion == "TLSv1.3")
        #expect(read.authority == "a.example")
        let value = try #require(read.extensions.first { $0.type == ProxyHeader.ExtensionType.tls }).value
        // TLS with a certificate, verified; then the version, the name and the cipher suite.
        #expect(value.prefix(5) == [7, 0, 0, 0, 0])
        #expect(value.dropFirst(5).prefix(3 + 7).elementsEqual([0x21, 0, 7] + Array("TLSv1.3".utf8)))
        #expect(value.dropFirst(15).prefix(3 + 5).elementsEqual([0x22, 0, 5] + Array("alice".utf8)))
        #expect(read.extensions.contains(.init(type: 0x01, value: Array("h2".utf8))))
    }

    @Test func session_withoutCertificate_isNotVerified_andReplacesAnotherOne() throws {
        var header = header([
            .init(type: ProxyHeader.ExtensionType.tls, value: [7, 0, 0, 0, 0]),
            .init(type: ProxyHeader.ExtensionType.uniqueID, value: [1]),
        ])
        header.set(ProxyHeader.Session(version: "TLSv1.2", cipher: "X"))
        let tls = header.extensions.filter { $0.type == ProxyHeader.ExtensionType.tls }
        #expect(tls.count == 1 && tls[0].value.prefix(5) == [1, 0, 0, 0, 1])
        #expect(header.uniqueID == [1])
    }
}
