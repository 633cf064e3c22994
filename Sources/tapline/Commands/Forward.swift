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
              socks:1080                          to where each client requests to go, by
                                                  SOCKS 5 or HTTP CONNECT (a proxy)

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
        help: ArgumentHelp(
            "Connect to every upstream through this proxy: socks5://HOST:PORT or http://HOST:PORT (CONNECT), with an "
                + "optional USER:PASSWORD@ before HOST.", valueName: "url"))
    var upstreamProxy: String?

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

    /// Checks the relays of the SPECs while the command line is parsed: a wrong SPEC is a usage error.
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
}
