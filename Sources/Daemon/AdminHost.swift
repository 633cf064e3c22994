import Admin
import Configuration
import EventLoop
import Glibc
import Logging
import Sockets

/// Starts, moves and stops the admin server as the configuration wants it.
///
/// On the main thread only. A change is made ready before anything else of a reload comes into force, so that a port in
/// use, or a token that cannot be read, is a reason to refuse it.
final class AdminHost {
    /// What a configuration changes of it, ready and not in force. It is applied or discarded.
    enum Change {
        /// All stays as it is.
        case none
        /// No admin server any more.
        case stop
        /// The same sockets under other terms.
        case keep(AdminSettings, AdminToken?)
        /// Other sockets, bound.
        case move(AdminListener, AdminSettings, AdminToken?)
    }

    /// How long closing may keep Tapline from its end, milliseconds.
    private static let patience: UInt64 = 500

    private let server: AdminServer
    private let environmentToken: String?
    private let logger: Logger
    private var settings: AdminSettings?
    private let announce: ([SocketAddress]) -> Void
    /// What another process had bound for the API, until its files are ours.
    private var handedOver: [HandedSocket]
    /// Another process serves the API, and the last requests are answered.
    private var leaving: Countdown?

    /// A host of a server that does not listen yet. `handedOver`: what another process has bound for it. `announce` says
    /// where it listens, once it does.
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

    /// The addresses that it gives up when settings come into force, for relays that bind before that.
    func released(for next: AdminSettings?) -> [HeldAddress] {
        next?.listen == settings?.listen ? [] : server.held
    }

    /// Makes ready what settings need; nothing else can fail. Nil: no admin server. `released`: addresses that relays give
    /// up in the same step.
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

    /// Refuses an address that other machines can reach, without a token. A configuration that wants this was refused
    /// already; should a way past that check ever open, the API still stays shut.
    static func refuseOpenDoor(_ settings: AdminSettings, _ token: AdminToken?) throws(SystemError) {
        guard !settings.listen.isLocal, token == nil else { return }
        throw SystemError(
            AdminListener.attempt(settings.listen.socketAddresses[0]), Errno(EACCES),
            advice: "other machines can reach it, and there is no token; give it admin.token_file, or "
                + "\(AdminSettings.tokenVariable) in the environment", subject: .admin)
    }

    /// Puts a change in force. When the API is gone, its clients are cut off; when it moves, streams go on, and the other
    /// clients of the old sockets have a moment for the request that they are at.
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

    /// Waits until nothing listens at the old addresses, for a moment: a relay may have taken them over, and its clients
    /// must not come to the API any more.
    private func awaitClosed(_ close: (@escaping @Sendable () -> Void) -> Void) {
        let closed = Countdown(1)
        close { closed.down() }
        guard !closed.wait(atMost: Self.patience) else { return }
        logger.warning("the admin API is busy: its old address is closed late")
    }

    private func adopt(_ next: AdminSettings, _ token: AdminToken?) {
        // Once for a file, not at every reload that changes something else of the API.
        if next.tokenFile != settings?.tokenFile, let warning = AdminToken.warning(next) {
            logger.warning("\(warning)")
        }
        settings = next
        server.set(next, token: token)
    }

    /// Ends a change that is not wanted after all.
    func discard(_ change: Change) {
        if case .move(let listener, _, _) = change { listener.discard() }
    }

    // MARK: Handing over

    /// Copies of its sockets for a process that takes this one's place, none numbered under `lowest`.
    func copyListeners(from lowest: Int32) throws(SystemError) -> [HandedSocket] {
        try server.copyListeners(from: lowest)
    }

    /// Another process serves it from now on.
    func leave() {
        guard settings != nil else { return }
        settings = nil
        let leaving = Countdown(1)
        self.leaving = leaving
        server.leave { leaving.down() }
    }

    /// The process that had handed its sockets over is through with them: the file is ours from now on, and one that is
    /// not wanted any more is removed.
    func ownFiles() {
        let used = server.ownFile()
        for socket in handedOver {
            if let file = socket.file, file != used { file.remove() }
            // An unserved socket must not let clients wait.
            _ = socket.parcel.take()
        }
        handedOver = []
    }

    // MARK: The end

    /// Ends it: the socket's file is gone when this returns, and what is still open a moment later ends with the process.
    func stop() {
        if let leaving { _ = leaving.wait(atMost: Self.patience) }
        guard settings != nil else { return }
        settings = nil
        let closed = Countdown(1)
        server.stop { closed.down() }
        _ = closed.wait(atMost: Self.patience)
    }
}
