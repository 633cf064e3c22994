import ArgumentParser
import Configuration
import Daemon
import Terminal

/// `tapline demo`: a conversation through a relay, without other programs.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how it works: an echo server, a relay in front of it, a conversation.",
        discussion: """
            Everything happens on loopback, on free ports. After the conversation the relay keeps running until Ctrl-C, \
            so that you can try it.
            """)

    @Flag(help: "Exit after the conversation: with 0 if it succeeded.")
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
