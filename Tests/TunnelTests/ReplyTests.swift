import Testing

@testable import Tunnel

/// The replies in each protocol.
@Suite struct ReplyTests {
    private static let failure = TunnelFailure(.refused, status: 502, text: "db:1 refused the connection")

    @Test func success_isTheShortestOfEachProtocol() {
        #expect(TunnelReplyForm.socks5.success == [5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(TunnelReplyForm.http.success == Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8))
    }

    @Test func failure_hasTheCode_orTheStatusWithItsReason() {
        #expect(TunnelReplyForm.socks4.failure(Self.failure) == [0, 0x5B, 0, 0, 0, 0, 0, 0])
        #expect(TunnelReplyForm.socks5Method.failure(Self.failure) == [5, 0xFF])
        #expect(TunnelReplyForm.socks5.failure(Self.failure) == [5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(
            String(decoding: TunnelReplyForm.http.failure(Self.failure), as: UTF8.self)
                == "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n"
                + "Connection: close\r\n\r\ndb:1 refused the connection\n")
    }

    @Test(
        arguments: [
            (
                .command(2), .commandNotSupported, 400,
                "The request uses the SOCKS 5 command BIND; only CONNECT is supported"
            ),
            (
                .command(3), .commandNotSupported, 400,
                "The request uses the SOCKS 5 command UDP ASSOCIATE; only CONNECT is supported"
            ),
            (.addressType(9), .addressTypeNotSupported, 400, "The request uses the unknown SOCKS 5 address type 9"),
            (.method("GET"), .general, 405, "The request uses the HTTP method GET; only CONNECT is supported"),
            (.headTooLong, .general, 431, "The request is an HTTP request of more than 8192 bytes"),
            (.portZero, .general, 400, "The request names port 0, which is not a valid destination"),
            (.socks4, .general, 400, "The request uses SOCKS 4; only SOCKS 5 and HTTP CONNECT are supported"),
        ] as [(TunnelFault, TunnelFailure.Code, Int, String)])
    func fault_isAFailureThatNamesIt(_ fault: TunnelFault, _ code: TunnelFailure.Code, _ status: Int, _ text: String) {
        #expect(TunnelFailure(fault) == TunnelFailure(code, status: status, text: text))
    }

    @Test func methodNotAllowed_listsConnect() {
        let reply = TunnelReplyForm.http.failure(TunnelFailure(.method("GET")))
        #expect(
            String(decoding: reply, as: UTF8.self).hasPrefix("HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n"))
    }
}
