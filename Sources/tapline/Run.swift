import ArgumentParser
import Configuration

/// `tapline run`: relays as configured.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Relay as configured.",
        discussion: """
            SIGTERM or SIGINT ends it: it accepts no more, and gives open connections the time of shutdown.drain. A \
            second signal ends it at once. Either way every connection has its record.
            """)

    @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "path"))
    var path = "/etc/tapline/tapline.yaml"

    func run() throws {
        let configuration = try Configuration.load(path: path, environment: ProcessEnvironment.all)
        try Supervisor.run(
            Supervisor.Plan(configuration: configuration, view: nil, isForPerson: false, reloads: true))
    }
}
