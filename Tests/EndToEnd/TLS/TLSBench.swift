import Foundation
import TestSupport
import Testing

/// Certificates and relays of the tests of TLS.
extension Scene {
    /// Stores an authority's certificate as `NAME.crt`.
    func store(_ authority: TestAuthority, as name: String = "ca") throws {
        try Data(authority.certificate).write(to: URL(fileURLWithPath: path("\(name).crt")))
    }

    /// Stores a certificate and its key as `NAME.crt` and `NAME.key`, each at once.
    func store(_ issued: TestAuthority.Issued, as name: String) throws {
        try Data(issued.key).write(to: URL(fileURLWithPath: path("\(name).key")), options: .atomic)
        try Data(issued.certificate).write(to: URL(fileURLWithPath: path("\(name).crt")), options: .atomic)
    }

    /// An authority, stored as `ca.crt`, and a certificate of it for each of these names, stored under the name's first
    /// part: `front.example` in `front.crt` and `front.key`.
    func authority(for names: String...) throws -> TestAuthority {
        let authority = try TestAuthority()
        try store(authority)
        for name in names { try certify(name, by: authority) }
        return authority
    }

    /// Issues a certificate for a name, and stores it under the name's first part.
    func certify(_ name: String, by authority: TestAuthority) throws {
        let request = TestAuthority.Request(commonName: name, names: ["DNS:\(name)"])
        try store(authority.issue(request), as: String(name.prefix { $0 != "." }))
    }

    /// The settings of a relay whose clients speak TLS, with the certificate `front`.
    static let frontTLS = "tls: { certificates: { chain: front.crt, key: front.key } }"

    /// Starts Tapline with one relay, and the admin API on a Unix socket.
    func secure(upstream: String, _ settings: String..., more: String = "") async throws -> TaplineProcess {
        try await run(
            relays: """
                  - name: secure
                    listen: 127.0.0.1:0
                    upstream: "\(upstream)"
                \(settings.map { "    \($0)" }.joined(separator: "\n"))
                """, more: "admin: { listen: \"unix:\(path("admin.sock"))\" }\n\(more)")
    }

    /// What `tapline why` says about a connection, with single spaces.
    func why(_ id: UInt64 = 1) async throws -> String {
        try await run(TaplineProcess.binary, "why", "--admin", "unix:\(path("admin.sock"))", "\(id)")
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// Starts a script of `Peers` that says where it listens; its address.
    func listening(_ script: String, _ words: String...) async throws -> String {
        try await listening(try start(Self.peer(script) + words))
    }

    /// Starts `openssl s_client` at a Tapline; it verifies the name `front.example` by `ca.crt`.
    func openSSLClient(_ tapline: TaplineProcess, _ options: String...) throws -> Program {
        try openSSLClient(tapline, options)
    }

    /// The same, with an array of options.
    func openSSLClient(_ tapline: TaplineProcess, _ options: [String]) throws -> Program {
        try start(
            [
                "openssl", "s_client", "-connect", tapline.address, "-CAfile", path("ca.crt"), "-servername",
                "front.example", "-verify_hostname", "front.example", "-verify_return_error",
            ] + options)
    }

    /// Starts `openssl s_server` with a certificate, and waits until it listens.
    func openSSLServer(_ certificate: String, _ options: [String]) async throws -> OpenSSLServer {
        let port = try freePort()
        let program = try start(
            [
                "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", path("\(certificate).crt"), "-key",
                path("\(certificate).key"),
            ] + options)
        _ = try await program.output.line(containing: "ACCEPT")
        return OpenSSLServer(program: program, address: "127.0.0.1:\(port)")
    }
}

/// A running `openssl s_server`.
struct OpenSSLServer {
    let program: Program
    let address: String
}
