import ArgumentParser
import Client
import Configuration
import Sockets
import Terminal

/// `tapline record`: recordings of a running Tapline.
struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Start or stop recording a relay of a running Tapline.",
        discussion: """
            Open connections are recorded from now on, until --stop or until Tapline exits. The file is in the directory of \
            the relay's `record:` section, or else in recordings/ in Tapline's working directory. Other settings are those of \
            the section, unless an option changes them.

            Without RELAY, it lists the relays. With an option, RELAY can be left out if only one relay \
            is possible.

              tapline record                        show which relays are recorded
              tapline record web                    start recording web
              tapline record web --max-bytes 64KiB  only the start of each connection
              tapline record web --stop             stop recording
            """)

    @Argument(help: ArgumentHelp("The relay's name.", valueName: "relay"), completion: .relays)
    var relay: String?

    @Flag(help: "Stop recording, and print the file, its packets and bytes, and the bytes that are missing.")
    var stop = false

    @Option(
        help: ArgumentHelp(
            "Record only this much of each direction, such as 64KiB. Default: as configured, or all.",
            valueName: "size"),
        transform: parsed(RecordChanges.maxBytes))
    var maxBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Start a new file at this size; 0: no limit. Default: as configured, or 100MiB.", valueName: "size"),
        transform: parsed(RecordChanges.rotateSize))
    var rotateSize: Int?

    @Option(
        help: ArgumentHelp(
            "Start a new file at this age; 0: no limit. Default: as configured, or 1h.", valueName: "duration"),
        transform: parsed(RecordChanges.rotateEvery))
    var rotateEvery: Duration?

    @Option(
        help: ArgumentHelp(
            "Keep this many closed files; 0: all. Default: as configured, or 24.", valueName: "number"))
    var keep: Int?

    @Option(
        help: ArgumentHelp(
            "Size of the buffer between the relay and the disk. Default: as configured, or 16MiB.", valueName: "size"),
        transform: parsed(RecordChanges.buffer))
    var buffer: Int?

    @Option(
        help: ArgumentHelp(
            "What happens when the buffer is full: drop (bytes are missing) or block (the connection waits). "
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
            "Record this share of the connections, such as 10%. Default: as configured, or all.", valueName: "fraction"),
        transform: parsed(RecordChanges.perMillion))
    var fraction: Int?

    @Flag(
        help: "Record the encrypted bytes of TLS, too, with the keys that decrypt them. Default: as configured, or no.")
    var encrypted = false

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
        changes.includesEncrypted = encrypted ? true : nil
        return changes
    }

    func validate() throws {
        if let keep, !RecordChanges.keeps.contains(keep) {
            let (least, most) = (RecordChanges.keeps.lowerBound, RecordChanges.keeps.upperBound)
            throw ValidationError("--keep must be from \(least) to \(most).")
        }
        if stop, !changes.isEmpty { throw ValidationError("--stop cannot be combined with settings of a recording.") }
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
