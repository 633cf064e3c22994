internal import Sockets

/// The paths that a connection to its original destination has accepted and opened. On its worker's thread.
final class Interception {
    /// The client's destination before it was redirected; nil if the system has none.
    let destination: SocketAddress?
    private let paths: InterceptedPaths
    private var accepted: InterceptedPaths.Path?
    private var opened: [InterceptedPaths.Path] = []

    init(to destination: SocketAddress?, _ paths: InterceptedPaths) {
        self.destination = destination
        self.paths = paths
    }

    /// Whether the client is Tapline itself: it has opened this path, and rules have redirected it back. Otherwise the path
    /// is recorded until `end()`. `source` is the client's address, `now` the loop's clock.
    func isOwn(_ source: SocketAddress, _ now: UInt64) -> Bool {
        guard let path = path(from: source) else { return false }
        guard paths.accept(path, now) else { return true }
        accepted = path
        return false
    }

    /// Whether the upstream is Tapline itself: it has accepted this path. Otherwise the path is recorded until `end()`.
    /// `source` is the upstream socket's local address, `now` the loop's clock.
    func comesBack(_ source: SocketAddress?, _ now: UInt64) -> Bool {
        guard let source, let path = path(from: source) else { return false }
        guard paths.open(path, now) else { return true }
        opened.append(path)
        return false
    }

    private func path(from source: SocketAddress) -> InterceptedPaths.Path? {
        destination.map { InterceptedPaths.Path(from: source, to: $0) }
    }

    /// The connection is over. `wasAnswered`: bytes came from the upstream, so it is not Tapline itself.
    func end(wasAnswered: Bool, _ now: UInt64) {
        if let accepted { paths.leave(accepted: accepted) }
        for path in opened { paths.leave(opened: path, mayComeYet: !wasAnswered, now) }
        accepted = nil
        opened = []
    }
}
