import Foundation
import TestSupport
import Testing

/// Two network namespaces with a wire between them: `here`, with Tapline and the application, and `there`, with a
/// server and clients. They end with the test's scene.
struct Neighbours: Sendable {
    let scene: Scene
    let here: Network
    let there: Network

    static let here4 = "10.77.0.1"
    static let there4 = "10.77.0.2"
    static let here6 = "[fd77::1]"
    static let there6 = "[fd77::2]"

    init(_ scene: Scene) async throws {
        self.scene = scene
        here = try await scene.network()
        there = try await scene.network()
        // The words are `nsenter --target PID ...`.
        let pid = there.before[2]
        try await scene.run(
            here.before + ["ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", pid])
        for (network, number) in [(here, 1), (there, 2)] {
            for words in [
                "address add 10.77.0.\(number)/24 dev wire", "address add fd77::\(number)/64 dev wire nodad",
                "link set wire up",
            ] {
                try await scene.run(network.before + ["ip"] + words.split(separator: " ").map(String.init))
            }
        }
    }

    /// Loads one of the files of `config/interception` here, unchanged or with another user.
    func load(_ rules: String, user: String? = nil) async throws {
        var text = try String(contentsOfFile: "\(Repository.root)/config/interception/\(rules)", encoding: .utf8)
        if let user { text = text.replacingOccurrences(of: "\"tapline\"", with: user) }
        try await nft("-f", try scene.file(rules, text))
    }

    /// Changes the rules here.
    func nft(_ words: String...) async throws { try await scene.run(here.before + ["nft"] + words) }

    /// Starts an nginx in a network; `servers` are blocks of its HTTP part. Waits until it listens on port 80 of an
    /// address.
    func nginx(_ name: String, in network: Network, at address: String, _ servers: String, _ puppet: Puppet)
        async throws
    {
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(scene.path("\(name)-\($0)"));" }.joined(separator: "\n")
        let path = try scene.file(
            "\(name).conf",
            """
            daemon off;
            master_process off;
            pid \(scene.path(name)).pid;
            error_log stderr warn;
            events {}
            http {
                \(folders)
                access_log off;
                \(servers)
            }

            """)
        try scene.start(network.before + ["nginx", "-p", scene.folder, "-e", "stderr", "-c", path])
        try await puppet.awaitListener("\(address):80")
    }

    /// Fetches a path of an address from a network into a file; returns the remote address that curl saw.
    func curl(from network: Network, _ url: String, to file: String) async throws -> String {
        try await scene.run(
            network.before + [
                "curl", "-sS", "--fail", "--max-time", "60", "--noproxy", "*", "-o", file, "-w",
                "%{remote_ip} %{remote_port}", url,
            ])
    }

    /// A client whose connection is refused by a reset, while it connects or after.
    func expectReset(
        _ puppet: Puppet, to address: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        do {
            try await puppet.connect(address, to: address)
        } catch let failure as Failure where "\(failure)".contains("ConnectionResetError") {
            return
        }
        #expect(try await puppet.receiveToEnd(address).end == "reset", sourceLocation: sourceLocation)
        try await puppet.close(address)
    }
}

/// Runs a test with both namespaces.
func neighbourhood(_ play: (Neighbours) async throws -> Void) async throws {
    try await scene { scene in try await play(try await Neighbours(scene)) }
}
