import Testing

@testable import Tunnel

/// The client's side of both protocols.
@Suite struct DialogueTests {
    private static let login = TunnelDialogue.Credentials(user: "u", password: "p:w")

    /// What is sent to a proxy whose bytes come in pieces of `piece` bytes, and how it ends.
    private static func run(
        _ kind: TunnelDialogue.Kind, _ host: String, credentials: TunnelDialogue.Credentials? = nil, _ bytes: [UInt8],
        piece: Int
    ) -> (sent: [UInt8], end: TunnelDialogue.Step, rest: [UInt8]) {
        var dialogue = TunnelDialogue(kind, to: TunnelTarget(host: host, port: 443), credentials: credentials)
        var sent = dialogue.start
        var (start, count) = (0, 0)
        while true {
            let step = count > start ? dialogue.read(Array(bytes[start..<count])) : .incomplete
            switch step {
            case .incomplete:
                guard count < bytes.count else { return (sent, .incomplete, []) }
                count = min(bytes.count, count + piece)
            case .send(let message, let length):
                sent += message
                start += length
            case .complete(let length):
                return (sent, step, Array(bytes[(start + length)...]))
            case .failed:
                return (sent, step, [])
            }
        }
    }

    static let tunnels:
        [(kind: TunnelDialogue.Kind, host: String, login: TunnelDialogue.Credentials?, sent: [UInt8], reply: [UInt8])] =
            [
                (
                    .socks5, "a.example", nil, [5, 1, 0, 5, 1, 0, 3, 9] + Array("a.example".utf8) + [1, 0xBB],
                    [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
                ),
                (
                    .socks5, "192.0.2.1", login,
                    [5, 2, 0, 2, 1, 1, 0x75, 3, 0x70, 0x3A, 0x77, 5, 1, 0, 1, 192, 0, 2, 1, 1, 0xBB],
                    [5, 2, 1, 0, 5, 0, 0, 3, 1, 0x61, 0, 0]
                ),
                (
                    .socks5, "::1", login,
                    [5, 2, 0, 2, 5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xBB],
                    [5, 0, 5, 0, 0, 4] + [UInt8](repeating: 1, count: 18)
                ),
                (
                    .http, "a.example", nil,
                    Array("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n".utf8),
                    Array("HTTP/1.1 200 OK\r\nX: y\r\n\r\n".utf8)
                ),
                (
                    .http, "::1", login,
                    Array(
                        "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dTpwOnc=\r\n\r\n"
                            .utf8),
                    Array("HTTP/1.0 299 \r\n\r\n".utf8)
                ),
            ]

    @Test(arguments: tunnels.indices, [1, 2, 5, 1000])
    func tunnel_isOpened_inPiecesOfAnySize_andTheBytesAfterTheReplyAreLeft(_ index: Int, piece: Int) {
        let (kind, host, login, sent, reply) = Self.tunnels[index]
        let result = Self.run(kind, host, credentials: login, reply + Array("tunnel".utf8), piece: piece)
        guard case .complete = result.end else {
            Issue.record("\(result.end)")
            return
        }
        #expect(result.sent == sent && result.rest == Array("tunnel".utf8))
    }

    @Test(arguments: tunnels.indices) func tunnel_isNotOpened_byAReplyCutAtAnyByte(_ index: Int) {
        let (kind, host, login, _, reply) = Self.tunnels[index]
        for count in 0..<reply.count {
            let end = Self.run(kind, host, credentials: login, Array(reply.prefix(count)), piece: 1).end
            #expect(end == .incomplete, "\(count) bytes")
        }
    }

    @Test(
        arguments: [
            (.socks5, nil, [5, 0xFF], .noMethod), (.socks5, nil, [5, 2], .noMethod),
            (.socks5, login, [5, 1], .noMethod),
            (.socks5, login, [5, 2, 1, 1], .credentialsRefused), (.socks5, nil, [5, 0, 5, 5], .replied(5)),
            (.socks5, nil, [5, 0, 5, 0, 0, 2, 0], .malformed(beginning: [5, 0, 0, 2, 0])),
            (.socks5, nil, Array("HTTP".utf8), .malformed(beginning: Array("HTTP".utf8))),
            (.http, nil, [5, 0], .malformed(beginning: [5, 0])),
            (.http, nil, Array("HTTP/1.1 407 Who\u{7}\r\n\r\n".utf8), .status("HTTP/1.1 407 Who\\x07")),
            (.http, nil, Array("HTTP/1.1 20 OK\r\n\r\n".utf8), .malformed(beginning: Array("HTTP/1.1 20 OK\r\n".utf8))),
            (
                .http, nil, Array("HTTP/1.1 200 ".utf8) + [UInt8](repeating: 0x61, count: 8192), .headTooLong
            ),
        ] as [(TunnelDialogue.Kind, TunnelDialogue.Credentials?, [UInt8], TunnelProxyFault)])
    func otherReply_isAFault(
        _ kind: TunnelDialogue.Kind, _ login: TunnelDialogue.Credentials?, _ reply: [UInt8], _ fault: TunnelProxyFault
    ) {
        #expect(Self.run(kind, "a", credentials: login, reply, piece: 10_000).end == .failed(fault))
    }

    @Test(
        arguments: [
            (.replied(5), "replied 05, connection refused"),
            (.status("HTTP/1.1 407 No"), "replied \"HTTP/1.1 407 No\""),
            (.closed, "closed the connection before it replied"), (.reset, "reset the connection before it replied"),
            (.silent, "stopped answering before it replied"),
            (.credentialsRefused, "refused the user name and the password"),
            (
                .malformed(beginning: [0, 0x41]),
                "sent bytes that are not a reply of its protocol, beginning with \"\\x00A\""
            ),
        ] as [(TunnelProxyFault, String)])
    func fault_isAClause(_ fault: TunnelProxyFault, _ text: String) {
        #expect("\(fault)" == text)
    }
}
