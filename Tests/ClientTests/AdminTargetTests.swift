import Configuration
import Foundation
import Glibc
import Sockets
import Terminal
import TestSupport
import Testing

@testable import Client

/// The search for the tapline that a command connects to.
struct AdminTargetTests {
    private func find(
        admin: String? = nil, config: String? = nil, tokenFile: String? = nil, variables: [String: String] = [:],
        readable: Set<String> = [], sockets: [String] = [], refusal: ((AdminAddress) -> Errno?)? = nil,
        report: @escaping (String) -> Void = { _ in }
    ) throws -> AdminTarget {
        try AdminTarget.find(
            admin: admin, config: config, tokenFile: tokenFile,
            in: AdminTarget.Surroundings(
                variable: { variables[$0] }, variables: variables, directory: "/here",
                canRead: { readable.contains($0) }, sockets: { sockets }, refusal: refusal, report: report))
    }

    private func file(_ folder: String, _ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        return "\(folder)/\(name)"
    }

    @Test(arguments: [
        ("9180", AdminAddress.tcp(host: "127.0.0.1", port: 9180)), ("*:80", .tcp(host: "127.0.0.1", port: 80)),
        ("0.0.0.0:80", .tcp(host: "127.0.0.1", port: 80)), ("[::]:80", .tcp(host: "::1", port: 80)),
        ("[::1]:9180", .tcp(host: "::1", port: 9180)),
        ("relay.internal:9180", .tcp(host: "relay.internal", port: 9180)),
        ("192.0.2.1:9", .tcp(host: "192.0.2.1", port: 9)), ("unix:admin.sock", .unix(path: "/here/admin.sock")),
        ("http://192.0.2.1:9180/", .tcp(host: "192.0.2.1", port: 9180)),
    ])
    func option_isReadAsAnAddress(text: String, address: AdminAddress) throws {
        let target = try find(admin: text, variables: ["TAPLINE_ADMIN": "10.0.0.1:1"])
        #expect(target.address == address && target.origin == .option && target.token == nil)
    }

    @Test(arguments: ["", "relay.internal", "1.2.3.4:99999", "0", "unix:", "a:b:c"])
    func option_thatIsNoAddress_isWrongUsage(text: String) {
        #expect {
            try find(admin: text)
        } throws: { error in
            guard let failure = error as? CommandFailure else { return false }
            return failure.status == .usage && failure.message.contains("--admin")
        }
    }

    @Test func variable_comesAfterTheOption() throws {
        let target = try find(variables: ["TAPLINE_ADMIN": "unix:/run/tapline/admin.sock"])
        #expect(target.address == .unix(path: "/run/tapline/admin.sock") && target.origin == .environment)
        #expect(target.address.host == "localhost" && "\(target.address)" == "unix:/run/tapline/admin.sock")
    }

    @Test func nothingSaid_isTheDefault() throws {
        let target = try find()
        #expect("\(target.address)" == "127.0.0.1:9180" && target.origin == .byDefault)
    }

    @Test func onlySocketOfAForward_isTheDefault() throws {
        let target = try find(sockets: ["/run/user/7/tapline/12.sock"])
        #expect(target.address == .unix(path: "/run/user/7/tapline/12.sock") && target.origin == .runtimeFolder)
        #expect(try find(admin: "9180", sockets: ["/a/1.sock"]).origin == .option)
        #expect(try find(variables: ["TAPLINE_ADMIN": "9180"], sockets: ["/a/1.sock"]).origin == .environment)
    }

    /// A configuration that was only found, whose tapline is not running, does not hide the running `forward`.
    @Test func addressOfADefaultFile_whereNothingListens_isReplacedByTheOnlyForward() async throws {
        try await TemporaryFolder.run { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/tapline", withIntermediateDirectories: false)
            let path = try file(
                folder, "tapline/tapline.yaml",
                "admin: { token_file: token }\nrelays: [{ name: web, listen: 8080, upstream: 'a:1' }]\n")
            let secret = try file(folder, "tapline/token", "a-secret-token\n")
            func found(
                _ sockets: [String], _ refusal: ((AdminAddress) -> Errno?)?, config: String? = nil
            ) throws -> (target: AdminTarget, reports: [String]) {
                var reports: [String] = []
                let target = try find(
                    config: config, variables: ["XDG_CONFIG_HOME": folder], readable: [path, secret], sockets: sockets,
                    refusal: refusal, report: { reports.append($0) })
                return (target, reports)
            }
            let refused: (AdminAddress) -> Errno? = { "\($0)" == "127.0.0.1:9180" ? Errno(ECONNREFUSED) : nil }
            let (forward, reports) = try found(["/run/12.sock"], refused)
            // The token is for the tapline of the configuration only.
            #expect(forward == AdminTarget(address: .unix(path: "/run/12.sock"), origin: .runtimeFolder, token: nil))
            #expect(
                reports == [
                    "tapline: nothing listens at 127.0.0.1:9180 (from \(path)): Connection refused; using the running "
                        + "forward, unix:/run/12.sock"
                ])
            let several = #expect(throws: CommandFailure.self) { try found(["/none/1.sock", "/none/2.sock"], refused) }
            #expect(several?.message.contains("2 forwards are running") == true)

            let configured = AdminTarget(
                address: .tcp(host: "127.0.0.1", port: 9180), origin: .configuration(path), token: "a-secret-token")
            // No forward; something listens; a command that changes something; a file that was requested.
            for (target, reports) in [
                try found([], refused), try found(["/run/12.sock"], { _ in nil }), try found(["/run/12.sock"], nil),
                try found(["/run/12.sock"], refused, config: path),
            ] {
                #expect(target == configured && reports.isEmpty)
            }
        }
    }

    @Test func addressWithoutAListener_isRefused() async throws {
        try await TemporaryFolder.run { folder in
            #expect(AdminTarget.refusal(of: .unix(path: "\(folder)/none.sock")) == Errno(ENOENT))
            let socket = try Socket(family: AF_UNIX)
            _ = try SocketFile.bind(socket, path: "\(folder)/some.sock", mode: 0o600)
            #expect(AdminTarget.refusal(of: .unix(path: "\(folder)/some.sock")) == Errno(ECONNREFUSED))
            // It does not answer, but something listens.
            try socket.listen()
            #expect(AdminTarget.refusal(of: .unix(path: "\(folder)/some.sock")) == nil)
        }
    }

    /// `off` is a value of `forward --admin` only.
    @Test func off_isNoAddressToConnectTo() {
        for find in [{ try find(admin: "off") }, { try find(variables: ["TAPLINE_ADMIN": "off"]) }] {
            let failure = #expect(throws: CommandFailure.self) { try find() }
            #expect(failure?.status == .usage)
            #expect(failure?.message.contains("`off` is only for `tapline forward`") == true)
        }
    }

    @Test func severalSockets_areListed() {
        let failure = #expect(throws: CommandFailure.self) {
            try find(sockets: ["/nowhere/1.sock", "/nowhere/2.sock"])
        }
        #expect(failure?.status == .usage)
        #expect(failure?.message.contains("--admin unix:/nowhere/2.sock   no answer") == true)
        let two = SocketChoice.failure([
            (path: "/run/12.sock", id: 12, relays: ["127.0.0.1:8080 to localhost:8000"]),
            // It took over from process 34.
            (path: "/run/34.sock", id: 57, relays: ["127.0.0.1:1 to a:1", "127.0.0.1:2 to b:2"]),
        ])
        #expect(
            two.message == """
                tapline: 2 forwards are running; select one:
                  --admin unix:/run/12.sock   process 12: 127.0.0.1:8080 to localhost:8000
                  --admin unix:/run/34.sock   process 57: 127.0.0.1:1 to a:1, 127.0.0.1:2 to b:2
                """)
    }

    @Test func configuration_namesTheAddressAndTheToken() async throws {
        try await TemporaryFolder.run { folder in
            let secret = try file(folder, "token", "a-secret-token\n")
            let path = try file(
                folder,
                "tapline.yaml",
                """
                admin: { listen: '[::1]:9999', token_file: token }
                relays: [{ name: web, listen: 8080, upstream: 'a:1' }]
                """)
            let target = try find(config: path, readable: [secret])
            #expect("\(target.address)" == "[::1]:9999" && target.origin == .configuration(path))
            #expect(target.token == "a-secret-token")
            // An unreadable token file may not be needed; the server reports it if it is.
            #expect(try find(config: path).token == nil)
            #expect(try find(config: path, variables: ["TAPLINE_ADMIN_TOKEN": "other-token"]).token == "other-token")
        }
    }

    @Test func configuration_withoutAdmin_saysWhatToAdd() async throws {
        try await TemporaryFolder.run { folder in
            let path = try file(folder, "tapline.yaml", "relays: [{ name: web, listen: 8080, upstream: 'a:1' }]\n")
            #expect {
                try find(config: path)
            } throws: { error in
                guard let failure = error as? CommandFailure else { return false }
                return failure.status == .configuration && failure.message.contains("admin: { listen: 127.0.0.1:9180 }")
            }
        }
    }

    @Test func configuration_withMistakes_tellsThem() async throws {
        try await TemporaryFolder.run { folder in
            let path = try file(folder, "tapline.yaml", "relay: []\n")
            #expect(throws: ConfigurationErrors.self) { try find(config: path) }
        }
    }

    @Test func tokenFile_comesFirst() async throws {
        try await TemporaryFolder.run { folder in
            let path = try file(folder, "token", "from-the-file\n")
            let target = try find(tokenFile: path, variables: ["TAPLINE_ADMIN_TOKEN": "from-the-variable"])
            #expect(target.token == "from-the-file")
        }
    }

    @Test func variable_isReadAsTheServerReadsIt() throws {
        #expect(try find(variables: ["TAPLINE_ADMIN_TOKEN": "good-token-1234\n"]).token == "good-token-1234")
        #expect(try find(variables: ["TAPLINE_ADMIN_TOKEN": "\n"]).token == nil)
        #expect(throws: CommandFailure.self) { try find(variables: ["TAPLINE_ADMIN_TOKEN": "short"]) }
    }

    @Test(arguments: ["", "two words", "\u{1B}[2J"]) func tokenFile_withoutAToken_isRefused(text: String) async throws {
        try await TemporaryFolder.run { folder in
            let path = try file(folder, "token", text)
            #expect(throws: CommandFailure.self) { try find(tokenFile: path) }
        }
    }

    @Test func tokenFile_thatIsMissing_isRefused() {
        #expect(throws: SystemError.self) { try find(tokenFile: "/nowhere/token") }
    }
}
