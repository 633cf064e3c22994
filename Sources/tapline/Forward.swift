import ArgumentParser
import Configuration
import Text

/// `tapline forward`: relays without a configuration file.
struct Forward: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Relay without a configuration file.",
        discussion: """
            A SPEC is [BIND:]PORT:HOST:HOSTPORT as in ssh -L, or LISTEN=UPSTREAM:

              8080:example.com:80                 on loopback (127.0.0.1 and ::1)
              '*:8080:example.com:80'             on every interface
              127.0.0.1:5433:db:5432              on one address
              8080:[2001:db8::1]:80               IPv6 addresses in brackets
              127.0.0.1:8080=unix:/run/app.sock   a Unix socket on either side
              0:example.com:80                    on a free port, told at the start

            A record of every connection that ended goes to standard output (with --print to standard error), \
            everything else to standard error. Ctrl-C ends it, and gives open connections two seconds.
            """)

    @Argument(
        help: ArgumentHelp("Where to listen and where to forward, such as 8080:example.com:80.", valueName: "SPEC"))
    var specs: [String]

    @Option(name: .customLong("print"), help: ArgumentHelp("Show the traffic as it passes.", valueName: "view"))
    var view: TrafficView?

    @Option(
        help: ArgumentHelp("How long a connect may take, lookup included; 0: no limit.", valueName: "duration"),
        transform: parseDuration)
    var connectTimeout = Timeouts.forward.connect

    @Option(
        help: ArgumentHelp("How long a connection may be silent; 0: no limit.", valueName: "duration"),
        transform: parseDuration)
    var idleTimeout = Timeouts.forward.idle

    @Option(
        help: ArgumentHelp("How many threads relay: auto, or a number.", valueName: "number"),
        transform: parseWorkerCount)
    var workers = WorkerCount.automatic

    @Option(help: ArgumentHelp("How lines look: text or json.", valueName: "format"), transform: parseLogFormat)
    var logFormat = LogSettings.Format.text

    @Option(
        name: .customLong("admin"),
        help: ArgumentHelp(
            "Serve the admin API there: PORT, ADDRESS:PORT or unix:PATH. Off loopback it needs a token in "
                + "\(AdminSettings.tokenVariable).", valueName: "address"))
    var adminAddress: String?

    @Flag(help: "Say nothing but errors, and write no end records.")
    var quiet = false

    /// The relays of the SPECs, checked while the command line is parsed: a bad one is a usage error.
    func validate() throws {
        _ = try relays()
        _ = try admin()
    }

    func run() throws {
        try Supervisor.run(
            Supervisor.Plan(
                configuration: try relayConfiguration(), view: view, isForPerson: true, isQuiet: quiet))
    }

    /// What the options ask for, as a configuration.
    func relayConfiguration() throws -> Configuration {
        let access: LogSettings.Access = quiet ? .off : view == nil ? .standardOutput : .standardError
        return Configuration(
            admin: try admin(),
            log: LogSettings(level: quiet ? .error : .info, format: logFormat, access: access),
            workers: workers, shutdown: .forward, relays: try relays())
    }

    private func admin() throws -> AdminSettings? {
        guard let adminAddress else { return nil }
        do {
            let listen = try ListenAddress(
                parsing: adminAddress, directory: try workingDirectory(), mode: AdminSettings.unixMode)
            guard listen.isLocal || ProcessEnvironment.value(AdminSettings.tokenVariable) != nil else {
                throw ValidationError(
                    "--admin \(adminAddress) can be reached from other machines; it needs a token in "
                        + "\(AdminSettings.tokenVariable).")
            }
            return AdminSettings(listen: listen)
        } catch let error as ValueError {
            throw ValidationError("--admin: \(error.message)")
        }
    }

    private func relays() throws -> [RelaySettings] {
        var timeouts = Timeouts.forward
        timeouts.connect = connectTimeout
        timeouts.idle = idleTimeout
        do {
            return try ForwardSpec.relays(specs, directory: try workingDirectory(), timeouts: timeouts)
        } catch let errors as ForwardSpecErrors {
            throw ValidationError(errors.description)
        }
    }
}

extension TrafficView: ExpressibleByArgument {}

/// A duration as an option's value.
private func parseDuration(_ text: String) throws -> Duration {
    do {
        return try DurationText.parse(text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// A number of workers as an option's value.
private func parseWorkerCount(_ text: String) throws -> WorkerCount {
    do {
        return try WorkerCount(parsing: text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// A form of lines as an option's value.
private func parseLogFormat(_ text: String) throws -> LogSettings.Format {
    guard let format = LogSettings.Format(rawValue: text) else {
        throw ValidationError("It is text or json.")
    }
    return format
}
