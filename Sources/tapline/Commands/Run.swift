import ArgumentParser
import Configuration
import Daemon
import Terminal

/// `tapline run`: relays with a configuration file.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Relay as configured.",
        discussion: """
            A changed file is taken over while it runs, and so it is at SIGHUP; open connections do not notice. A file \
            with a mistake changes nothing, and the log says where it is.

            SIGUSR2 puts the program in its place that lies where this one did at the start: it gets the listening \
            sockets, no client is refused, and open connections finish where they are (shutdown.upgrade).

            SIGTERM or SIGINT ends it: it accepts no more, and gives open connections the time of shutdown.drain. A \
            second signal ends it at once. Either way every connection has its record.
            """)

    @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "path"))
    var path = ConfigurationFile.defaultPath

    func run() throws {
        let inheritance = try Inheritance.take()
        let environment = ProcessEnvironment.all
        let text = try ConfigurationText(reading: path, environment: environment)
        let configuration = try Configuration.parse(text, environment: environment).configuration
        try Supervisor.run(
            RunPlan(
                configuration: configuration, view: nil, isForPerson: false,
                origin: Reloader.Origin(text: text, environment: environment), inheritance: inheritance))
    }
}
