import ArgumentParser
import Client
import Configuration
import Sockets
import Terminal

/// `tapline record`: recordings of a running tapline.
struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Start or stop recording a relay of a running tapline.",
        discussion: """
            Open connections are recorded from now on, until --stop or the end of Tapline. The file goes to the folder of \
            the relay's `record:` section, or else to recordings/ in Tapline's working directory. Other settings are those of \
            the section, unless an option changes them.

            Without RELAY: the relays that are recorded. With an option, the relay need not be named if there is only one \
            that it can mean.

              tapline record                        which relays are recorded
              tapline record web                    start recording web
              tapline record web --max-bytes 64KiB  the start of each connection
              tapline record web --stop             stop it
            """)

    @Argument(help: ArgumentHelp("The relay's name.", valueName: "relay"), completion: .relays)
    var relay: String?

    @Flag(help: "Stop recording; prints the file, its packets and bytes, and what is missing.")
    var stop = false

    @Option(
        help: ArgumentHelp(
            "Record this much of each direction of a connection, such as 64KiB. Default: as configured, or all.",
            valueName: "size"),
        transform: parsed(RecordChanges.maxBytes))
    var maxBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Begin another file at this size; 0: no limit. Default: as configured, or 100MiB.", valueName: "size"),
        transform: parsed(RecordChanges.rotateSize))
    var rotateSize: Int?

    @Option(
        help: ArgumentHelp(
            "Begin another file at this age; 0: no limit. Default: as configured, or 1h.", valueName: "duration"),
        transform: parsed(RecordChanges.rotateEvery))
    var rotateEvery: Duration?

    @Option(
        help: ArgumentHelp(
            "Keep this many closed files; 0: all. Default: as configured, or 24.", valueName: "number"))
    var keep: Int?

    @Option(
        help: ArgumentHelp(
            "The memory between the relay and the disk. Default: as configured, or 16MiB.", valueName: "size"),
        transform: parsed(RecordChanges.buffer))
    var buffer: Int?

    @Option(
        help: ArgumentHelp(
            "What happens when that memory is full: drop (bytes are missing) or block (the connection waits). "
                + "Default: as configured, or drop.",
            valueName: "policy"), transform: parseWhenFull)
    var whenFull: RecordSettings.WhenFull?

    @Option(
        help: ArgumentHelp(
            "Record only clients of this network, such as 10.0.0.0/8; may be repeated. Default: as configured, or "
                + "all.", valueName: "network"),
        transform: parseNetwork)
    var client: [Network] = []

    @Option(
        help: ArgumentHelp(
            "Record this part of the connections, such as 10%. Default: as configured, or all.", valueName: "fraction"),
        transform: parsed(RecordChanges.perMillion))
    var fraction: Int?

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    private var changes: RecordChanges {
        var changes = RecordChanges()
        changes.maxBytes = maxBytes
        changes.rotateSize = rotateSize
        changes.rotateEvery = rotateEvery
        changes.keep = keep
        changes.buffer = buffer
        changes.whenFull = whenFull
        changes.clients = client
        changes.perMillion = fraction
        return changes
    }

    func validate() throws {
        if let keep, !RecordChanges.keeps.contains(keep) {
            let (least, most) = (RecordChanges.keeps.lowerBound, RecordChanges.keeps.upperBound)
            throw ValidationError("--keep is from \(least) to \(most).")
        }
        if stop, !changes.isEmpty { throw ValidationError("--stop takes no settings of a recording.") }
    }

    func run() throws {
        let control = RecordingControl(client: try options.client())
        let output = ClientOutput(showsUTC: utc)
        if relay == nil, !stop, changes.isEmpty {
            let states = try control.states()
            if options.json { return try output.write(json: states) }
            return try output.write(lines: RecordingText.list(states, output))
        }
        let state = stop ? try control.stop(relay) : try control.start(relay, changes)
        if options.json { return try output.write(json: [state]) }
        try output.write(lines: stop ? RecordingText.stopped(state) : RecordingText.started(state))
    }
}
