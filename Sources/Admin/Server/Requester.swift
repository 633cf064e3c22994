internal import Glibc
internal import Logging
internal import NIOCore

/// The client of a request, for the log: every change that the API makes is logged with it.
///
/// A value; on the admin server's thread.
struct Requester {
    private let channel: any Channel

    init(_ channel: any Channel) {
        self.channel = channel
    }

    /// The client's address, or for a Unix socket the process at its other end (SO_PEERCRED, unix(7)): `process 1234,
    /// user 1000`.
    var text: String {
        get async {
            if let address = channel.remoteAddress, let host = address.ipAddress, let port = address.port {
                return address.protocol == .inet6 ? "[\(host)]:\(port)" : "\(host):\(port)"
            }
            guard let options = channel as? any SocketOptionProvider else { return "unknown" }
            let level = NIOBSDSocket.OptionLevel(rawValue: SOL_SOCKET)
            let answer: EventLoopFuture<Credentials> = options.unsafeGetSocketOption(
                level: level, name: .init(rawValue: SO_PEERCRED))
            guard let peer = try? await answer.get() else { return "unknown" }
            return "process \(peer.process), user \(peer.user)"
        }
    }

    /// `struct ucred` (unix(7)).
    private struct Credentials {
        var process: Int32
        var user: UInt32
        var group: UInt32
    }
}

extension Logger {
    /// Logs a change that a client of the API makes.
    func noteChange(_ message: Message, by requester: Requester, _ particulars: Metadata = [:]) async {
        var metadata = particulars
        metadata["requester"] = .string(await requester.text)
        notice(message, metadata: metadata)
    }
}
