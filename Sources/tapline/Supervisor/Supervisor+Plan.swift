import Configuration
import Glibc
internal import Recorder
import Relay
import Sockets
import Terminal

extension Supervisor {
    /// What to run, and how to talk about it.
    struct Plan: Sendable {
        /// What to relay.
        var configuration: Configuration
        /// How to show the traffic; nil: not at all.
        var view: TrafficView?
        /// Where everything is recorded to; nil: nowhere, or as the relays say.
        var recording: RecordingTarget?
        /// Somebody watches: say what happens in plain words rather than as lines of a log.
        var isForPerson: Bool
        /// Nothing is said but errors.
        var isQuiet = false
        /// Where the configuration comes from: SIGHUP asks for a reload, and the file is watched. Without it SIGHUP
        /// means that the terminal is gone, and ends everything in order.
        var origin: Reloader.Origin?
        /// Listening sockets that another process has bound and handed over.
        var inheritance = Inheritance.nothing

        /// Why no other process can take the place of one that runs this, with the configuration in force; nil: it can.
        func obstacleToUpgrade(with configuration: Configuration) -> String? {
            if recording != nil {
                return
                    "what --record writes is one file, and two processes cannot write it; --record DIR/ makes files of its own"
            }
            if case .file(let path) = configuration.log.access, let descriptor = OutputFile.descriptor(namedBy: path),
                descriptor > STDERR_FILENO
            {
                return
                    "log.access is \(path), and the next process does not get descriptor \(descriptor); set it to stdout, stderr or a file"
            }
            return nil
        }
    }

    /// What a guest does beside, on the main thread: the demo.
    struct Guest {
        /// Everything is up.
        var started: (Supervisor) throws -> Void
        /// A connection ended.
        var ended: (ConnectionRecord) -> Void
        /// Tapline is about to stop; what the guest opened on the loop closes.
        var stopping: () -> Void
    }
}
