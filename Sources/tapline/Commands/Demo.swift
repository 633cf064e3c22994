import ArgumentParser
import Configuration
import Daemon
import Terminal

/// `tapline demo`: a conversation through a relay, without other programs.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See it work: an echo upstream, a relay in front of it, a conversation.",
        discussion: """
            Everything happens on this machine's loopback, on free ports. After the conversation the relay stays up, \
            to be tried out, until Ctrl-C.
            """)

    @Flag(help: "End after the conversation, with 0 if it went well.")
    var once = false

    func run() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let relay = RelaySettings(
            name: "demo", listen: [.loopback(port: 0)], upstream: .address(echo.address), timeouts: .forward)
        let guest = DemoGuest(upstream: echo.address, isOnce: once)
        try Supervisor.run(
            RunPlan(
                configuration: Configuration(shutdown: .forward, relays: [relay]), view: nil, isForPerson: true),
            guest: guest.hooks)
        if let failure = guest.failure {
            throw CommandFailure(.failure, "tapline: the conversation failed: \(failure)")
        }
    }
}
