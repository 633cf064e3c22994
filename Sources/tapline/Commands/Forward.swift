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
              0:example.com:80                    on a free port, printed at startup
              15001:original-destination          to each redirected client's destination
              socks:1080                          to the destination that each client
                                                  requests by SOCKS 5 or HTTP CONNECT
              8080=tls:api.example.com:443        clients speak plain TCP, the upstream TLS
              tls:8443=localhost:8080             clients speak TLS (--tls-cert auto)

            On a terminal it prints a line when a connection opens and when it ends, and a summary at the end. \
            Elsewhere, or with --log-format, it writes an end record for each connection: to standard output, or with \
            --print or --record to standard error. Ctrl-C stops it; a second Ctrl-C stops it at once.

            \(differences)
            """)

    /// What is different in a configuration.
    private static var differences: String {
        func text(_ duration: Duration) -> String { DurationText.text(of: duration) }
        let (own, configured) = (Timeouts.forward, Timeouts())
        return "Defaults that differ from those of a configuration: a connection may be idle without limit "
            + "(timeouts.idle: \(text(configured.idle))); after one side has closed, the other may be silent for "
            + "\(text(own.halfClose)) (timeouts.half_close: \(text(configured.halfClose))); at the end, open "
            + "connections have \(text(ShutdownSettings.forward.drain)) to finish "
            + "(shutdown.drain: \(text(ShutdownSettings().drain)))."
    }

    @Argument(
        help: ArgumentHelp("Where to listen and where to forward, such as 8080:example.com:80.", valueName: "SPEC"))
    var specs: [String]

    @Option(
        name: [.customShort("p"), .customLong("print")],
        help: ArgumentHelp("Show the traffic as it passes.", valueName: "view"))
    var view: TrafficView?

    @Option(
        help: ArgumentHelp(
            "Record the traffic, as pcapng for Wireshark: to a new file, to a directory (DIR/, a file for each relay), or "
                + "to standard output (-, for | wireshark -k -i -).", valueName: "path"), completion: .file())
    var record: String?

    @Flag(help: "With --record: record the encrypted bytes of TLS, too, with the keys that decrypt them.")
    var recordEncrypted = false

    @Option(
        help: ArgumentHelp(
            "Expect a PROXY protocol header (v1 or v2) from clients of this network, such as 10.0.0.0/8, and refuse all "
                + "others; may be repeated.", valueName: "network"), transform: parseNetwork)
    var acceptProxy: [Network] = []

    @Option(
        help: ArgumentHelp(
            "Begin every connection to an upstream with a PROXY protocol header: v1 or v2.", valueName: "version"),
        completion: .list(ProxyProtocolSettings.Version.allCases.map(\.rawValue)), transform: parseProxyVersion)
    var sendProxy: ProxyProtocolSettings.Version?

    @Option(
        help: ArgumentHelp(
            "Connect to every upstream through this proxy: socks5://HOST:PORT or http://HOST:PORT (CONNECT), with an "
                + "optional USER:PASSWORD@ before HOST.", valueName: "url"))
    var upstreamProxy: String?

    @OptionGroup
    var security: SecurityOptions

    @Option(
        help: ArgumentHelp(
            "Maximum time for connecting, including the name lookup; 0: no limit. Default: "
                + "\(DurationText.text(of: Timeouts.forward.connect)).", valueName: "duration"),
        transform: parseDuration)
    var connectTimeout = Timeouts.forward.connect

    @Option(
        help: ArgumentHelp(
            "Reset a connection after this time without a byte; 0: no limit. Default: 0.", valueName: "duration"),
        transform: parseDuration)
    var idleTimeout = Timeouts.forward.idle

    @OptionGroup
    var lifecycle: LifecycleOptions

    @Option(
        help: ArgumentHelp(
            "Number of threads that relay: auto (one per core), or a number. Default: auto.", valueName: "number"),
        completion: .list(["auto"]), transform: parseWorkerCount)
    var workers = WorkerCount.automatic

    @Option(
        help: ArgumentHelp(
            "Write end records and diagnostics as text (key=value) or json, also on a terminal. Default: readable lines "
                + "on a terminal, text elsewhere.", valueName: "format"),
        completion: .list(LogSettings.Format.allCases.map(\.rawValue)), transform: parseLogFormat)
    var logFormat: LogSettings.Format?

    @Flag(name: [.customShort("j"), .long], help: "Same as --log-format json.")
    var json = false

    @Option(
        name: [.customShort("a"), .customLong("admin")],
        help: ArgumentHelp(
            "Serve the admin API at PORT, ADDRESS:PORT or unix:PATH; off: no admin API. Off loopback it needs a token in "
                + "\(AdminSettings.tokenVariable). Default: a socket that the other commands find, in the first of "
                + "$XDG_RUNTIME_DIR/tapline, /run/user/UID/tapline and /tmp/tapline-UID whose parent exists.",
            valueName: "address"))
    var adminAddress: String?

    @Flag(name: [.customShort("q"), .long], help: "Print errors only; do not log connections.")
    var quiet = false

    @Flag(help: "Print times in UTC instead of local time.")
    var utc = false

    @Flag(
        name: .customShort("L"), help: ArgumentHelp("No effect: the SPEC may follow as in ssh -L.", visibility: .hidden)
    )
    var isSSHForm = false

    /// Checks what parsing does not: argument-parser reports an unknown option only after parsing, and a mistyped option
    /// is the better message. `words`: the command line, for a proposal.
    func check(in words: [String] = CommandWords.own) throws {
        if json, let logFormat, logFormat != .json {
            throw usageError("--json means --log-format json; leave one of them out")
        }
        try lifecycle.check(relays(in: words))
        if recordEncrypted, record == nil { throw usageError("--record-encrypted needs --record") }
        if record?.isEmpty == true { throw usageError("--record needs a path, DIR/ or -") }
        try checkRecordOutput()
        if let record, record != "-", !record.hasPrefix("/"), workingDirectory().isEmpty {
            throw usageError(
                "--record \(record): the path is relative, and the working directory no longer exists; write an absolute path"
            )
        }
        _ = try admin()
        try security.checkKeyLog(ProcessEnvironment.all, in: words)
    }

    /// A recording needs an output of its own, and none that is a terminal.
    private func checkRecordOutput() throws {
        guard let record else { return }
        let descriptor = record == "-" ? STDOUT_FILENO : OutputFile.descriptor(namedBy: record)
        if descriptor == STDOUT_FILENO, view != nil {
            throw usageError("--print and --record \(record) both write to standard output; record to a file")
        }
        if descriptor == STDERR_FILENO {
            throw usageError(
                "--record \(record) and the diagnostics both write to standard error; record to a file or to -")
        }
        if descriptor == STDOUT_FILENO, OutputFile.standardOutput.isTerminal {
            throw CommandFailure.binaryOnTerminal
        }
    }

    func usageError(_ message: String, proposals: [[String]] = []) -> UsageError {
        UsageError(message, proposals: proposals, command: "forward")
    }

    func run() throws {
        try check()
        let inheritance = try Inheritance.take()
        try Supervisor.run(
            RunPlan(
                configuration: try relayConfiguration(), view: view, recording: recordingTarget,
                recordsEncrypted: recordEncrypted, isForPerson: true,
                isQuiet: quiet, terminal: terminalOutput, showsUTC: utc, adminFolder: adminFolder,
                inheritance: inheritance, lifecycle: lifecycle.plan))
    }
}
