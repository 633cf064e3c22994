import ArgumentParser
import Daemon
import EventLoop
import Glibc
import Sockets
import Terminal

/// The command line.
@main
struct Tapline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tapline",
        abstract: "A TCP relay that says who closed what, and why.",
        discussion: """
            Every connection ends with one record: how many bytes each way, how long, who closed first, and why.

              tapline forward 8080:example.com:80   relay a port, without a configuration
              tapline run --config tapline.yaml     relay as configured
              tapline demo                          see it work, nothing else installed
              tapline show web.pcapng               read a recording
              tapline top                           watch a running one (--admin, or `admin:` in its configuration)

            Exit status: 0 success, 64 wrong usage, 78 wrong configuration, 71 the system said no, 1 anything else.
            """,
        version: "tapline \(Version.number) (libuv \(EventLoop.version))",
        subcommands: [Forward.self, Run.self, Check.self, Demo.self, ShowCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Watch and steer",
                subcommands: [
                    Status.self, Connections.self, Top.self, Tail.self, Why.self, Kill.self, ReloadCommand.self,
                    Drain.self, Shutdown.self, WaitReady.self,
                ])
        ])

    /// Runs the command, and ends the process with its exit status.
    static func main() {
        OutputFile.fillStandardDescriptors()
        EventLoop.prepareProcess()
        ProcessSignals.prepare()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard let failure = CommandFailure(error) else { exit(withError: error) }
            if !failure.message.isEmpty { writeToStandardError(failure.message + "\n") }
            EventLoop.leaveProcess(failure.status.rawValue)
        }
        EventLoop.leaveProcess(EXIT_SUCCESS)
    }
}
