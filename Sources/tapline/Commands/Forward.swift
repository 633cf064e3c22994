import ArgumentParser
import Configuration
import Daemon
import Glibc
internal import Recorder
import Relay
import Sockets
import Terminal
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
              15001:original-destination          to where each redirected client wanted to go

            A record of every connection that ended goes to standard output (with --print or --record to standard \
            error), everything else to standard error. Ctrl-C ends it, and gives open connections two seconds.
            """)

    @Argument(
        help: ArgumentHelp("Where to listen and where to forward, such as 8080:example.com:80.", valueName: "SPEC"))
    var specs: [String]

    @Option(name: .customLong("print"), help: ArgumentHelp("Show the traffic as it passes.", valueName: "view"))
    var view: TrafficView?

    @Option(
        help: ArgumentHelp(
            "Record what passes, as pcapng for Wireshark: to a new file, into a folder (DIR/, names are made), or to "
                + "standard output (-, for | wireshark -k -i -).", valueName: "path"))
    var record: String?

    @Option(
        help: ArgumentHelp(
            "Expect a PROXY protocol header (v1 or v2) from clients of this network, such as 10.0.0.0/8, and refuse all "
                + "others; may be repeated.", valueName: "network"), transform: parseNetwork)
    var acceptProxy: [Network] = []

    @Option(
        help: ArgumentHelp(
            "Begin every connection to an upstream with a PROXY protocol header: v1 or v2.", valueName: "version"),
        transform: parseProxyVersion)
    var sendProxy: ProxyProtocolSettings.Version?

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
        let descriptor = record.flatMap { $0 == "-" ? STDOUT_FILENO : OutputFile.descriptor(namedBy: $0) }
        if let record, descriptor == STDOUT_FILENO, view != nil {
            throw ValidationError("--print and --record \(record) both want standard output; record to a file.")
        }
        if let record, descriptor == STDERR_FILENO {
            throw ValidationError(
                "--record \(record) and the diagnostics both want standard error; record to a file or to -.")
        }
        if record?.isEmpty == true { throw ValidationError("--record wants a path, DIR/ or -.") }
        if let record, record != "-", !record.hasPrefix("/"), workingDirectory().isEmpty {
            throw ValidationError(
                "--record \(record): the path is relative, and the working directory is gone; write the whole path, from "
                    + "`/` on.")
        }
        _ = try admin()
    }

    func run() throws {
        let inheritance = try Inheritance.take()
        try Supervisor.run(
            RunPlan(
                configuration: try relayConfiguration(), view: view, recording: recordingTarget, isForPerson: true,
                isQuiet: quiet, inheritance: inheritance))
    }

    /// What the options ask for, as a configuration.
    func relayConfiguration() throws -> Configuration {
        let isOutputTaken = view != nil || record != nil
        let access: LogSettings.Access = quiet ? .off : isOutputTaken ? .standardError : .standardOutput
        return Configuration(
            admin: try admin(),
            log: LogSettings(level: quiet ? .error : .info, format: logFormat, access: access),
            workers: workers, shutdown: .forward, relays: try relays())
    }

    /// Where everything is recorded to, if that is one place.
    private var recordingTarget: RecordingTarget? {
        guard let record, !record.hasSuffix("/") else { return nil }
        return record == "-" ? .standardOutput : .file(record)
    }

    /// The recording of each relay by itself, in a folder. A person ends it: nothing is taken away meanwhile.
    private func recordSettings() throws -> RecordSettings? {
        guard let record, record.hasSuffix("/") else { return nil }
        let directory = record.hasPrefix("/") ? record : workingDirectory() + "/" + record
        let folder = directory.count > 1 ? String(directory.dropLast()) : directory
        return RecordSettings(
            directory: folder, rotate: .init(size: 0, every: .zero, keep: 0), buffer: RecordSettings.bufferForPeople)
    }

    private func admin() throws -> AdminSettings? {
        guard let adminAddress else { return nil }
        do {
            let listen = try ListenAddress(
                parsing: adminAddress, directory: workingDirectory(), mode: AdminSettings.unixMode)
            let variable = ProcessEnvironment.value(AdminSettings.tokenVariable)
            guard try listen.isLocal || TokenText.parse(variable: variable) != nil else {
                throw ValidationError(
                    "--admin \(adminAddress) can be reached from other machines; it needs a token in "
                        + "\(AdminSettings.tokenVariable).")
            }
            return AdminSettings(listen: listen)
        } catch let error as ValueError {
            throw ValidationError("--admin: \(error.message)")
        }
    }

    private var proxyProtocol: ProxyProtocolSettings? {
        guard !acceptProxy.isEmpty || sendProxy != nil else { return nil }
        return ProxyProtocolSettings(accept: acceptProxy.isEmpty ? nil : .init(trusted: acceptProxy), send: sendProxy)
    }

    private func relays() throws -> [RelaySettings] {
        var timeouts = Timeouts.forward
        timeouts.connect = connectTimeout
        timeouts.idle = idleTimeout
        do {
            let recording = try recordSettings()
            return try ForwardSpec.relays(specs, directory: workingDirectory(), timeouts: timeouts).map { relay in
                guard relay.upstream != .originalDestination || acceptProxy.isEmpty else {
                    throw ValidationError(
                        "--accept-proxy cannot stand beside original-destination: who is redirected sends no header.")
                }
                var relay = relay
                relay.record = recording
                relay.proxyProtocol = proxyProtocol
                return relay
            }
        } catch let errors as ForwardSpecErrors {
            throw ValidationError(errors.description)
        }
    }
}

extension TrafficView: ExpressibleByArgument {}

/// A network as an option's value.
private func parseNetwork(_ text: String) throws -> Network {
    do {
        return try Network(parsing: text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// A duration as an option's value.
func parseDuration(_ text: String) throws -> Duration {
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

/// The form of a PROXY protocol header as an option's value.
private func parseProxyVersion(_ text: String) throws -> ProxyProtocolSettings.Version {
    guard let version = ProxyProtocolSettings.Version(rawValue: text) else {
        throw ValidationError("It is v1 or v2.")
    }
    return version
}

/// A form of lines as an option's value.
private func parseLogFormat(_ text: String) throws -> LogSettings.Format {
    guard let format = LogSettings.Format(rawValue: text) else {
        throw ValidationError("It is text or json.")
    }
    return format
}
