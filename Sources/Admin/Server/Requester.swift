internal import Logging
internal import NIOCore

/// The client of a request, for the log: every change that the API makes is logged with it.
///
/// A value; on the admin server's thread.
struct Requester {
    private let channel: any Channel
    /// Whether it is the process that took over, which logs the change with its own client.
    let isSuccessor: Bool

    init(_ channel: any Channel, at door: Responder.Door) {
        self.channel = channel
        isSuccessor = door.token != nil
    }

    /// The client's address, or for a Unix socket the process at its other end (SO_PEERCRED, unix(7)): `process 1234,
    /// user 1000`.
    var text: String {
        get async {
            if let address = channel.remoteAddress, let host = address.ipAddress, let port = address.port {
                return address.protocol == .inet6 ? "[\(host)]:\(port)" : "\(host):\(port)"
            }
            guard let peer = try? await PeerCredentials.of(channel)?.get() else { return "unknown" }
            return "process \(peer.process), user \(peer.user)"
        }
    }
}

extension Logger {
    /// Logs a change that a client of the API makes.
    func noteChange(_ message: Message, by requester: Requester, _ particulars: Metadata = [:]) async {
        guard !requester.isSuccessor else { return }
        var metadata = particulars
        metadata["requester"] = .string(await requester.text)
        notice(message, metadata: metadata)
    }
}
