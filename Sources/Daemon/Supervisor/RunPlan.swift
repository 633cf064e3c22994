package import Configuration
import Glibc
package import Recorder
package import Sockets
package import Terminal

/// What a supervisor runs, and where its messages go.
package struct RunPlan: Sendable {
    /// What to relay.
    var configuration: Configuration
    /// How the traffic is shown; nil: not at all.
    var view: TrafficView?
    /// The one recording of all connections; nil: none, or as the relays' settings say.
    var recording: RecordingTarget?
    /// The one recording includes the encrypted bytes of TLS, and their keys.
    var recordsEncrypted: Bool
    /// A person watches: messages are plain sentences rather than lines of a log.
    var isForPerson: Bool
    /// Only errors are reported.
    var isQuiet: Bool
    /// What is shown differently because a person reads it on a terminal; nil: nothing is.
    var terminal: TerminalOutput?
    /// Times of shown traffic are in UTC on a terminal, too.
    var showsUTC: Bool
    /// The folder of the default admin socket; nil: there is none without `admin` in the configuration.
    var adminFolder: RuntimeFolder?
    /// The source of the configuration: SIGHUP reloads it, and the file is watched. Without one, SIGHUP means that the
    /// terminal is gone, and ends everything in order.
    var origin: Reloader.Origin?
    /// The configuration was searched for: the log begins with its path.
    var namesOrigin: Bool
    /// Listening sockets that another process has bound and handed over.
    var inheritance: Inheritance
    /// The upstream's command, and when the process ends by itself.
    var lifecycle: LifecyclePlan

    /// A plan; by default nothing is recorded or shown, there is no file to reload, and no socket was handed over.
    package init(
        configuration: Configuration, view: TrafficView? = nil, recording: RecordingTarget? = nil,
        recordsEncrypted: Bool = false, isForPerson: Bool,
        isQuiet: Bool = false, terminal: TerminalOutput? = nil, showsUTC: Bool = false,
        adminFolder: RuntimeFolder? = nil,
        origin: Reloader.Origin? = nil, namesOrigin: Bool = false, inheritance: Inheritance = .nothing,
        lifecycle: LifecyclePlan = LifecyclePlan()
    ) {
        self.configuration = configuration
        self.view = view
        self.recording = recording
        self.recordsEncrypted = recordsEncrypted
        self.isForPerson = isForPerson
        self.isQuiet = isQuiet
        self.terminal = terminal
        self.showsUTC = showsUTC
        self.adminFolder = adminFolder
        self.origin = origin
        self.namesOrigin = namesOrigin
        self.inheritance = inheritance
        self.lifecycle = lifecycle
    }

    /// Why no other process can take over from one that runs this, with the configuration in force; nil: it can.
    func obstacleToUpgrade(with configuration: Configuration) -> String? {
        if recording != nil {
            return
                "two processes cannot write to the one file of --record; use --record DIR/, which creates a file for each"
        }
        if lifecycle.command != nil {
            return "the --exec command is a child of this process, and a new process could not stop it"
        }
        if lifecycle.isOnce {
            return "--once accepts one connection, and a new process would accept another one"
        }
        if case .file(let path) = configuration.log.access, let descriptor = OutputFile.descriptor(namedBy: path),
            descriptor > STDERR_FILENO
        {
            return
                "log.access is \(path), and the new process does not get descriptor \(descriptor); set it to stdout, stderr or a file"
        }
        return nil
    }
}
