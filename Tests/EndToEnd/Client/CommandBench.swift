import Foundation

/// A Tapline with an admin API, one open connection, and the commands that use the API.
struct CommandBench: Sendable {
    let scene: Scene
    let puppet: Puppet
    let tapline: TaplineProcess
    /// The admin API's address.
    let admin: String
    /// The upstream behind the relay `web`.
    let upstream: String
    /// The configuration file.
    let path: String

    /// Runs a test, with a client `client` connected to an upstream's end `server`.
    static func play(more: String = "", _ body: (CommandBench) async throws -> Void) async throws {
        try await EndToEnd.scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)' }",
                more: "admin: { listen: 127.0.0.1:0 }\n\(more)")
            let bench = CommandBench(
                scene: scene, puppet: puppet, tapline: tapline,
                admin: try await scene.admin(of: tapline).address, upstream: upstream, path: scene.path("tapline.yaml"))
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await body(bench)
        }
    }

    /// Starts a command for it.
    func start(_ words: [String]) throws -> Program {
        let program = try scene.start([TaplineProcess.binary] + words, variables: ["TAPLINE_ADMIN": admin])
        program.finishInput()
        return program
    }

    /// Runs a command and returns its exit and output.
    func command(_ words: String...) async throws -> Outcome {
        let program = try start(words)
        let ending = try await program.exit()
        return Outcome(ending: ending, output: program.output.all, errors: program.errors.all)
    }

    /// The result of a command.
    struct Outcome {
        var ending: Program.Ending
        var output: [String]
        var errors: [String]

        /// Everything on standard output.
        var text: String { output.joined(separator: "\n") }

        /// The lines as JSON objects; throws if one is not an object.
        var objects: [[String: JSON]] {
            get throws { try output.map { try JSONDecoder().decode([String: JSON].self, from: Data($0.utf8)) } }
        }
    }
}
