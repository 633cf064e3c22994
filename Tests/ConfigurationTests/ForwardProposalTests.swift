import Configuration
import Testing

/// The proposals for wrong SPECs.
struct ForwardProposalTests {
    @Test(
        arguments: [
            (["8080", "db"], nil), (["8080"], nil), (["8080:localhost:70000"], nil), (["8080:localhost:8080"], nil),
            (["localhost"], nil), (["8080:localhost"], nil), (["80:a:1", "*:80:b:1"], nil), ([""], nil), (["::"], nil),
            (["8080:a:80", "8081:http://b:81"], [["8080:a:80", "8081:b:81"]]),
            (["redis:6379"], [["6379:redis:6379"]]), (["localhost:8080"], [["8081:localhost:8080"]]),
            (["127.0.0.1:443"], [["8443:127.0.0.1:443"]]), (["[::1]:80"], [["8080:[::1]:80"]]),
            (["localhost:8080", "localhost:8000"], [["localhost:8080:localhost:8000"]]),
            (["postgres://me:secret@db/name"], [["5432:db:5432"]]),
            (["8080:http://user@[2001:db8::1]/x"], [["8080:[2001:db8::1]:80"]]),
            (["127.0.0.1:8000:8080"], [["8080:127.0.0.1:8000"], ["127.0.0.1:8000:localhost:8080"]]),
            (["8080:8000:example.com"], [["8080:example.com:8000"]]),
        ] as [([String], [[String]]?)])
    func specs_areRepaired_whereTheirMeaningIsLikely(_ specs: [String], _ expected: [[String]]?) {
        #expect(ForwardProposal(for: specs, directory: "/home")?.alternatives == expected)
    }

    /// A proposal never turns TLS into plain text.
    @Test(
        arguments: [
            ("24111=tls://localhost:24001", "24111=tls:localhost:24001"),
            ("24111=https://localhost:24001", "24111=tls:localhost:24001"),
            ("24111:https://localhost:24001/path", "24111=tls:localhost:24001"),
            ("8080:https://user@[2001:db8::1]/x", "8080=tls:[2001:db8::1]:443"),
            ("https://api.example.com", "8443=tls:api.example.com:443"),
            ("rediss://db", "6379=tls:db:6379"),
            ("24111:tls:localhost:24001", "24111=tls:localhost:24001"),
            ("127.0.0.1:24111:tls:localhost:24001", "127.0.0.1:24111=tls:localhost:24001"),
            ("tls:24111:localhost:24001", "tls:24111=localhost:24001"),
            ("tls:24111:tls:localhost:24001", "tls:24111=tls:localhost:24001"),
            ("tls:8443:8080", "tls:8443=localhost:8080"),
            ("tls:8443=https://localhost:24001", "tls:8443=tls:localhost:24001"),
            ("https://localhost:8443=localhost:8080", "tls:localhost:8443=localhost:8080"),
            ("8080 https://localhost:24001", "8080=tls:localhost:24001"),
        ])
    func tlsInASpec_isKeptByTheProposal(_ spec: String, _ expected: String) {
        let specs = spec.split(separator: " ").map(String.init)
        #expect(ForwardProposal(for: specs, directory: "/home")?.alternatives == [[expected]])
    }

    /// Every proposal is accepted.
    @Test(arguments: [
        "8080:8000", "x:1:2", ":1:2", "http://a", "tcp:1:a:2", "1:::1:2", "a:1", "1:/a", "1:2:a", "'1:a:2'", "1 a 2",
        "1：a：2",
    ])
    func proposal_isAccepted(_ spec: String) throws {
        let proposal = try #require(ForwardProposal(for: [spec], directory: "/home"))
        for specs in proposal.alternatives {
            #expect(throws: Never.self) { try ForwardSpec.relays(specs, directory: "/home") }
        }
    }
}
