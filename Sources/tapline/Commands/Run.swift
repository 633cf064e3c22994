import ArgumentParser
import Configuration
import Daemon
import Terminal

/// `tapline run`: relays with a configuration file.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the relays of a configuration file.",
        discussion: """
            Changes to the file are applied while it runs, and at SIGHUP; open connections are not affected. A file with an \
            error changes nothing, and the log reports the position of the error.

            SIGUSR2 upgrades: Tapline starts its program file, which takes over the listening sockets. No client is \
            refused, and open connections finish in the old process (shutdown.upgrade).

            SIGTERM or SIGINT stops it: it accepts no more connections, and open ones have shutdown.drain to finish. \
            A second signal stops it at once. Every connection gets its end record either way.

            `${NAME}` in the configuration is replaced by an environment variable. \(AdminSettings.tokenVariable) is the \
            admin API's token, unless admin.token_file names a file.

              tapline run tapline.yaml
            """)

    @OptionGroup var file: ConfigurationOptions

    func run() throws {
        let inheritance = try Inheritance.take()
        let path = try file.find()
        guard path != "-" else {
            throw UsageError(
                "`run` reloads its configuration when it changes, so it cannot be standard input; name a file",
                command: "run")
        }
        let environment = ProcessEnvironment.all
        let text = try ConfigurationText(reading: path, environment: environment)
        let configuration = try Configuration.parse(text, environment: environment).configuration
        try Supervisor.run(
            RunPlan(
                configuration: configuration, view: nil, isForPerson: false,
                origin: Reloader.Origin(text: text, environment: environment), namesOrigin: !file.isNamed,
                inheritance: inheritance))
    }
}
