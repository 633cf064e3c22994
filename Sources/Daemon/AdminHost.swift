import Admin
import Configuration
import EventLoop
import Glibc
import Logging
import Sockets

/// Starts, moves and stops the admin server as the configuration says.
///
/// On the main thread only. A change is prepared before any other part of a reload is in force, so that a port in use
/// or an unreadable token rejects the reload.
final class AdminHost {
    /// A prepared change that is not in force. It is either applied or discarded.
    enum Change {
        /// No change.
        case none
        /// No admin server.
        case stop
        /// The same sockets with other settings.
        case keep(AdminSettings, AdminToken?)
        /// Other sockets, already bound.
        case move(AdminListener, AdminSettings, AdminToken?)
    }

    /// The most time that closing may take, milliseconds.
    private static let closeTimeout: UInt64 = 500

    private let server: AdminServer
    private let environmentToken: String?
    private let logger: Logger
    private var settings: AdminSettings?
    private let announce: ([SocketAddress]) -> Void
    /// Sockets that another process has bound for the API, until their files belong to this one.
    private var handedOver: [HandedSocket]
    /// A bound listener without a server, until its first client connects.
    private var dormant: DormantListener?
    /// Whether the process that took over is served.
    private var isForSuccessor = false
    /// Counts down when the last requests are answered, after another process took over the API.
    private var leaving: Countdown?

    /// A host of a server that does not listen yet. `handedOver`: sockets that another process has bound for it.
    /// `announce` reports its addresses once it listens.
    init(
        _ server: AdminServer, handedOver: [HandedSocket] = [], environmentToken: String?, logger: Logger,
        announce: @escaping ([SocketAddress]) -> Void
    ) {
        self.server = server
        self.handedOver = handedOver
        self.environmentToken = environmentToken
        self.logger = logger
        self.announce = announce
    }

    /// The addresses that the server gives up under other settings, for relays that bind before that.
    func released(for next: AdminSettings?) -> [HeldAddress] {
        next?.listen == settings?.listen ? [] : server.held
    }

    /// Prepares a change; applying it cannot fail. Nil: no admin server. `released`: addresses that relays give up in
    /// the same reload.
    func prepare(_ next: AdminSettings?, released: [HeldAddress] = []) throws(SystemError) -> Change {
        guard next != settings else { return .none }
        guard let next else { return .stop }
        let token = try AdminToken.load(next, environment: environmentToken)
        try Self.refuseOpenDoor(next, token)
        guard next.listen != settings?.listen else { return .keep(next, token) }
        try server.checkThread(for: next.listen)
        let listener = try AdminListener.bind(next.listen, released: server.held + released, handedOver: handedOver)
        return .move(listener, next, token)
    }

    /// Refuses an address that other machines can reach, without a token. The configuration was checked for this
    /// already; a defect there must not open the API.
    static func refuseOpenDoor(_ settings: AdminSettings, _ token: AdminToken?) throws(SystemError) {
        guard !settings.listen.isLocal, token == nil else { return }
        throw SystemError(
            AdminListener.attempt(settings.listen.socketAddresses[0]), Errno(EACCES),
            advice: "other machines can reach it, and there is no token; set admin.token_file, or "
                + "\(AdminSettings.tokenVariable) in the environment", subject: .admin)
    }

    /// Puts a change in force. Without an API, its clients are disconnected; when it moves, streams continue, and other
    /// clients of the old sockets can finish their request.
    func apply(_ change: Change) {
        switch change {
        case .none:
            break
        case .stop:
            settings = nil
            awaitClosed { server.stop(closed: $0) {} }
        case .keep(let next, let token):
            adopt(next, token)
        case .move(let listener, let next, let token):
            adopt(next, token)
            awaitClosed { server.serve(listener, closed: $0) }
            announce(listener.addresses)
        }
    }

    /// Waits a moment until the old sockets are closed: a relay may have their addresses now, and its clients must not
    /// reach the API.
    private func awaitClosed(_ close: (@escaping @Sendable () -> Void) -> Void) {
        let closed = Countdown(1)
        close { closed.down() }
        guard !closed.wait(atMost: Self.closeTimeout) else { return }
        logger.warning("the admin API is busy: its old address is closed late")
    }

    private func adopt(_ next: AdminSettings, _ token: AdminToken?) {
        // Once per file, not at every reload that changes another setting of the API.
        if next.tokenFile != settings?.tokenFile, let warning = AdminToken.warning(next) {
            logger.warning("\(warning)")
        }
        settings = next
        server.set(next, token: token)
    }

    /// Ends a change that is not applied.
    func discard(_ change: Change) {
        if case .move(let listener, _, _) = change { listener.discard() }
    }

    // MARK: The default socket

    /// Listens on this process's socket in the folder. The server starts with the first client, since most processes
    /// never have one. Throws a `RuntimeFolder.Refusal` where the folder cannot be used, a `SystemError` for any other
    /// error; then there is no API.
    func open(in folder: RuntimeFolder, on loop: EventLoop) throws {
        let inherited = handedOver.lazy.compactMap { socket -> String? in
            if case .unix(let path) = socket.address, folder.contains(path) { path } else { nil }
        }
        let path = inherited.first ?? folder.socket(ofProcess: getpid())
        let listen = ListenAddress.unix(path: path, mode: AdminSettings.unixMode)
        let next = AdminSettings(listen: listen)
        do {
            try folder.create()
            folder.removeStale()
            let token = try AdminToken.load(next, environment: environmentToken)
            let listener = try AdminListener.bind(listen, handedOver: handedOver)
            adopt(next, token)
            dormant = try DormantListener(listener, loop: loop) { [unowned self] in wake() }
            // An inherited socket must be in use when the files become ours.
            if inherited.first != nil { wake() }
        } catch {
            settings = nil
            server.forgetRecords()
            throw error
        }
    }

    /// Serves the default socket.
    private func wake() {
        guard let listener = dormant?.takeListener() else { return }
        dormant = nil
        guard let listen = settings?.listen else { return listener.discard() }
        do {
            try server.checkThread(for: listen)
            server.serve(listener)
        } catch {
            listener.discard()
            settings = nil
            server.forgetRecords()
            logger.warning("the admin API cannot start", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Handing over

    /// Copies of the listening sockets for a process that takes over, none numbered under `lowest`.
    func copyListeners(from lowest: Int32) throws(SystemError) -> [HandedSocket] {
        wake()
        return try server.copyListeners(from: lowest)
    }

    /// Another process serves the API from now on, and reaches this one through the returned access: nil if the API is
    /// off, or its name cannot be bound.
    func leave() -> Predecessor.Access? {
        guard settings != nil else { return nil }
        settings = nil
        let leaving = Countdown(1)
        self.leaving = leaving
        let access = Predecessor.Access.random(of: getpid())
        var own: AdminListener?
        do throws(SystemError) {
            own = try AdminListener.bind(access)
        } catch {
            logger.warning(
                "the process that took over cannot list the connections that are open here",
                metadata: ["error": "\(error)"])
        }
        server.leave(serving: own) { leaving.down() }
        isForSuccessor = own != nil
        return own == nil ? nil : access
    }

    /// The process that handed its sockets over has let them go: their files belong to this process, which removes the
    /// unused ones.
    func ownFiles() {
        let used = server.ownFile()
        for socket in handedOver {
            if let file = socket.file, file != used { file.remove() }
            // A socket that is not served would let clients wait.
            _ = socket.parcel.takeSocket()
        }
        handedOver = []
    }

    // MARK: The end

    /// Stops the server: the socket's file is removed when this returns, and connections that are open a moment later
    /// end with the process.
    func stop() {
        if let leaving { _ = leaving.wait(atMost: Self.closeTimeout) }
        guard settings != nil || isForSuccessor else { return }
        settings = nil
        isForSuccessor = false
        if let listener = dormant?.takeListener() { return listener.discard() }
        let closed = Countdown(1)
        server.stop { closed.down() }
        _ = closed.wait(atMost: Self.closeTimeout)
    }
}
