import Glibc
import Sockets
package import Terminal

/// The listening sockets that this process was started with, and the process that handed them over.
///
/// There are two ways: the service manager's (sd_listen_fds(3)), and that of a tapline being replaced. A service
/// manager names the process it starts in `LISTEN_PID`; a process that starts its successor does not have that
/// process's id before it runs, and names itself.
package struct Inheritance: Sendable {
    /// The tapline that this process takes over from.
    struct Predecessor: Sendable {
        /// Its process id.
        let id: Int32
        /// The channel to it.
        let channel: SocketParcel
    }

    /// Sockets for relays, in the order of their descriptors.
    var relays: [HandedSocket] = []
    /// Sockets for the admin API.
    var admin: [HandedSocket] = []
    /// The tapline that handed them over; nil after a service manager.
    var predecessor: Predecessor?

    /// The number of the first connection; nil: 1.
    var firstID: UInt64?
    /// Recordings that were started at run time.
    var recordings: [HandoverMessage.Recording] = []
    /// Configured recordings that were stopped at run time, with the configured settings.
    var stoppedRecordings: [HandoverMessage.Recording] = []

    /// The variable with the id of the process that hands over and the descriptor of its message. It is ignored unless
    /// that process is our parent.
    static let variable = "TAPLINE_HANDOVER"
    /// The first inherited descriptor in both ways (`SD_LISTEN_FDS_START`).
    static let firstDescriptor: Int32 = 3
    private static let managersVariables = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    /// Adopts the inherited sockets, sets close-on-exec on them, and removes the variables from the environment. Call
    /// it before there are threads and before anything is opened. Throws an error with a remedy.
    package static func take() throws(CommandFailure) -> Inheritance {
        let environment = ProcessEnvironment.all
        for name in managersVariables + [variable] { unsetenv(name) }
        if let text = environment[variable], let message = try readMessage(text) {
            return try Inheritance(message.content, from: message.parent)
        }
        return Inheritance(relays: try managersSockets(environment))
    }

    // MARK: From the service manager

    private static func managersSockets(_ environment: [String: String]) throws(CommandFailure) -> [HandedSocket] {
        // Meant for another process, further up.
        guard let count = environment["LISTEN_FDS"], environment["LISTEN_PID"] == "\(getpid())" else { return [] }
        guard let number = Int32(count), (0...Int32(Int16.max)).contains(number) else {
            throw CommandFailure(
                .configuration, "tapline: LISTEN_FDS is `\(count)`, which is not a number of descriptors")
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var sockets: [HandedSocket] = []
        for index in 0..<Int(number) {
            let name = index < names.count && !names[index].isEmpty ? String(names[index]) : "unknown"
            sockets.append(try inherit(firstDescriptor + Int32(index), name, .manager))
        }
        return sockets
    }

    private static func inherit(
        _ descriptor: Int32, _ label: String, _ origin: HandedSocket.Origin
    ) throws(CommandFailure) -> HandedSocket {
        do {
            let socket = try Socket.inheriting(descriptor)
            if let handed = HandedSocket(socket, descriptor: descriptor, label: label, origin: origin) { return handed }
            throw InheritanceFault.otherFamily
        } catch {
            throw CommandFailure(
                .configuration,
                "tapline: descriptor \(descriptor) (`\(label)`) was passed to Tapline and is \(error); Tapline accepts listening "
                    + "stream sockets: use ListenStream= in the socket unit, without Accept=yes")
        }
    }

    // MARK: From a tapline

    private static func readMessage(
        _ text: String
    ) throws(CommandFailure) -> (content: HandoverMessage, parent: Int32)? {
        let numbers = text.split(separator: " ").map { Int32($0) }
        // Inherited by chance from a tapline further up, through a shell or a supervisor.
        guard numbers.count == 2, let parent = numbers[0], let descriptor = numbers[1], parent == getppid() else {
            return nil
        }
        let file = MemoryFile(inheriting: descriptor)
        do throws(SystemError) {
            if let message = HandoverMessage(parsing: try file.text(atMost: HandoverMessage.longest)) {
                return (message, parent)
            }
        } catch {
            throw CommandFailure(.system, "tapline: \(error)")
        }
        throw CommandFailure(
            .failure, "tapline: process \(parent) hands over its sockets in a way that this version does not support")
    }

    private init(_ message: HandoverMessage, from parent: Int32) throws(CommandFailure) {
        // The channel is a connected socket; `inheriting` would reject it, because it does not listen.
        let channel = Socket(inheritingChannel: message.channel)
        predecessor = Predecessor(id: parent, channel: SocketParcel(channel))
        firstID = message.firstID
        recordings = message.recordings
        stoppedRecordings = message.stoppedRecordings
        for item in message.items {
            var handed = try Self.inherit(
                item.descriptor, item.label, item.isOfManager ? .manager : .process(file: nil))
            if case .unix(let path) = handed.address, let file = item.file {
                handed = handed.with(file: SocketFile(path: path, identity: file))
            }
            switch item.role {
            case .relay: relays.append(handed)
            case .admin: admin.append(handed)
            }
        }
    }

    private init(relays: [HandedSocket] = []) {
        self.relays = relays
    }

    /// No inherited sockets.
    static let nothing = Inheritance()
}
