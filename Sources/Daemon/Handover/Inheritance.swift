import Glibc
import Sockets
package import Terminal

/// What this process was started with beside its arguments: listening sockets, and whoever handed them over.
///
/// Two ways lead here: the service manager's (sd_listen_fds(3)), and that of a tapline which is being replaced. A service
/// manager knows the process it starts and names it in `LISTEN_PID`; a process that starts its own successor cannot know
/// that one's number before it runs, and names itself instead.
package struct Inheritance: Sendable {
    /// A tapline whose place this process takes.
    struct Predecessor: Sendable {
        /// Its process.
        let id: Int32
        /// The way to talk to it.
        let channel: SocketParcel
    }

    /// For relays, in the order in which they came.
    var relays: [HandedSocket] = []
    /// For the admin API.
    var admin: [HandedSocket] = []
    /// Who handed them over, if that was no service manager.
    var predecessor: Predecessor?

    /// Names the process that hands over and the number of its letter. It counts only if that is our parent.
    static let variable = "TAPLINE_HANDOVER"
    /// The first descriptor of either way (`SD_LISTEN_FDS_START`).
    static let firstDescriptor: Int32 = 3
    private static let managersVariables = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    /// Takes over what there is, closed on exec from then on, and takes the variables out of the environment. Before
    /// there are threads, and before anything is opened. Throws what a person can act on.
    package static func take() throws(CommandFailure) -> Inheritance {
        let environment = ProcessEnvironment.all
        for name in managersVariables + [variable] { unsetenv(name) }
        if let text = environment[variable], let letter = try readLetter(text) {
            return try Inheritance(letter.content, from: letter.parent)
        }
        return Inheritance(relays: try managersSockets(environment))
    }

    // MARK: From the service manager

    private static func managersSockets(_ environment: [String: String]) throws(CommandFailure) -> [HandedSocket] {
        // Somebody else's, further up.
        guard let count = environment["LISTEN_FDS"], environment["LISTEN_PID"] == "\(getpid())" else { return [] }
        guard let number = Int32(count), (0...Int32(Int16.max)).contains(number) else {
            throw CommandFailure(.configuration, "tapline: LISTEN_FDS is `\(count)`, and not a number of descriptors")
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var sockets: [HandedSocket] = []
        for place in 0..<Int(number) {
            let name = place < names.count && !names[place].isEmpty ? String(names[place]) : "unknown"
            sockets.append(try inherit(firstDescriptor + Int32(place), name, .manager))
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
                "tapline: descriptor \(descriptor) (`\(label)`) was handed over and is \(error); Tapline takes listening "
                    + "stream sockets: ListenStream= in the socket unit, and no Accept=yes")
        }
    }

    // MARK: From a tapline

    private static func readLetter(
        _ text: String
    ) throws(CommandFailure) -> (content: HandoverLetter, parent: Int32)? {
        let numbers = text.split(separator: " ").map { Int32($0) }
        // Inherited by chance: from a tapline further up, through a shell or a supervisor.
        guard numbers.count == 2, let parent = numbers[0], let descriptor = numbers[1], parent == getppid() else {
            return nil
        }
        let file = MemoryFile(inheriting: descriptor)
        do throws(SystemError) {
            if let letter = HandoverLetter(parsing: try file.text(atMost: HandoverLetter.longest)) {
                return (letter, parent)
            }
        } catch {
            throw CommandFailure(.system, "tapline: \(error)")
        }
        throw CommandFailure(
            .failure, "tapline: process \(parent) hands its sockets over in a way that this version does not know")
    }

    private init(_ letter: HandoverLetter, from parent: Int32) throws(CommandFailure) {
        // A socket already; only the check that it listens would be in the way.
        let channel = Socket(inheritingChannel: letter.channel)
        predecessor = Predecessor(id: parent, channel: SocketParcel(channel))
        for item in letter.items {
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

    /// Nothing was handed over.
    static let nothing = Inheritance()
}
