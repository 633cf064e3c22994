internal import Logging
public import Sockets
internal import Synchronization

/// A worker's copy of a listening socket, for another process.
struct ListenerCopy: Sendable {
    let address: SocketAddress
    /// Tells one socket from others; workers share some.
    let cookie: UInt64?
    let socket: SocketParcel
}

/// The service manager has handed over sockets that no relay listens on: their clients would never be accepted.
public struct UnwantedSockets: Error, Hashable, Sendable, CustomStringConvertible {
    /// Each with its number, its name and its address.
    public let sockets: [String]

    /// What is wrong and what to do.
    public var description: String {
        sockets.map { socket in
            "the service manager has handed over \(socket), and no relay listens there; give a relay that address in "
                + "`listen`, or name the socket after a relay (FileDescriptorName=), or take it out of the socket unit"
        }.joined(separator: "\n")
    }
}

extension ListenerBinding {
    /// Says what becomes of sockets that were handed over and that no relay wants, or refuses them.
    func judge(_ unwanted: [HandedAddress], isSuccessor: Bool) throws(UnwantedSockets) {
        let kept = unwanted.filter(\.isOfManager)
        guard kept.isEmpty || isSuccessor else { throw UnwantedSockets(sockets: kept.map(\.description)) }
        for address in kept { tellForsaken(address.address) }
        for address in unwanted where !address.isOfManager {
            logger.notice("no relay listens on \(address.address) any more: closed")
        }
    }

    /// The service manager goes on listening where no relay does.
    func tellForsaken(_ address: SocketAddress) {
        logger.warning(
            """
            no relay listens on \(address) any more, but the service manager does: clients will wait there until its \
            socket unit is stopped or a relay wants the address again
            """)
    }
}

/// Listeners on their way to a process that takes this one's place, and from one whose place this one has taken.
extension RelayService {
    /// Copies of every listening socket that the workers serve, and of those that the service manager keeps and no relay
    /// wants now: each socket once. None is numbered under `lowest`. On the supervisor's thread no configuration may be
    /// applied until it has answered. Never returns when a worker hangs: the caller has a deadline.
    public func copyListeners(from lowest: Int32) async throws(SystemError) -> [HandedSocket] {
        let (entries, kept) = bound.withLock { ($0.entries, $0.handed) }
        var known: Set<UInt64> = []
        var all: [HandedSocket] = []
        do throws(Errno) {
            for answer in await answers(to: { WorkerCommand.copyListeners(from: lowest, $0) }) {
                for copy in try answer.get() {
                    guard let entry = entries.first(where: { $0.address == copy.address }),
                        copy.cookie.map({ known.insert($0).inserted }) ?? true, let socket = copy.socket.take()
                    else { continue }
                    let label = entry.relay
                    let origin = entry.source == .manager ? .manager : HandedSocket.Origin.process(file: entry.file)
                    if let handed = HandedSocket(socket, label: label, origin: origin) { all.append(handed) }
                }
            }
            let served = Set(entries.map(\.address))
            for address in kept where !served.contains(address.address) {
                for parcel in address.sockets {
                    guard let socket = try parcel.duplicate(from: lowest) else { continue }
                    let handed = HandedSocket(socket, label: address.label, origin: .manager)
                    if let handed { all.append(handed) }
                }
            }
        } catch {
            throw SystemError("copy the listening sockets for another process", error)
        }
        return all
    }

    /// How many listening sockets there are at most, of all workers.
    public var mostListeningSockets: Int {
        bound.withLock {
            $0.entries.reduce(0) { $0 + $1.sockets } + $0.handed.reduce(0) { $0 + $1.sockets.count }
        }
    }

    /// Another process serves the sockets from now on: accepts no more, leaves the files of Unix sockets to it, and lets
    /// open connections finish; what is left at the bound is reset (`drained`).
    public func leave(within bound: Duration) {
        self.bound.withLock { $0.disownFiles() }
        drain(within: bound)
    }

    /// The process that handed its sockets over is through with them: their files are this one's from now on.
    public func ownHandedFiles() {
        bound.withLock { $0.ownHandedFiles() }
    }
}
