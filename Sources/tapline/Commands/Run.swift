import ArgumentParser
import Configuration
import Daemon
import Terminal

/// `tapline run`: relays with a configuration file.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Relay as configured.",
        discussion: """
            A changed file is applied while it runs, and at SIGHUP; open connections are not affected. A file with a \
            mistake changes nothing, and the log reports the place of the mistake.

            SIGUSR2 upgrades: the program file is started again and takes over the listening sockets. No client is \
            refused, and open connections finish in the old process (shutdown.upgrade).

            SIGTERM or SIGINT stops it: it accepts no more connections, and open ones have the time of shutdown.drain. \
            A second signal stops it at once. Every connection has its end record either way.

            `${NAME}` in the configuration takes a variable of the environment. \(AdminSettings.tokenVariable) is the \
            admin API's token, unless admin.token_file names a file.

              tapline run tapline.yaml
            """)

    @OptionGroup var file: ConfigurationOptions

    func run() throws {
        let inheritance = try Inheritance.take()
        let path = try file.find()
        guard path != "-" else {
            throw UsageError(
                "`run` reads its configuration again when it changes, which standard input cannot do; name a file",
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
