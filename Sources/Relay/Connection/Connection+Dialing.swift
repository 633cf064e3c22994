internal import Configuration
internal import Sockets

/// What the dialer asks before it uses an address or a socket.
extension Connection {
    func refusal(of address: SocketAddress) -> DialFailure? {
        if upstreamSettings.mayLoop, worker.shared.isOwnListener(address) {
            return DialFailure(reason: .loop, errno: nil, address: address)
        }
        return stages?.context.refusal(of: address)
    }

    func prepare(_ socket: borrowing Socket, for address: SocketAddress) -> DialFailure? {
        guard let mark = relay.interception?.mark else { return nil }
        do {
            try socket.set(mark: mark)
            return nil
        } catch {
            // Without its mark, the rules would redirect the connection to Tapline.
            return DialFailure(reason: .internalError, errno: error, address: address)
        }
    }

    func refusal(of socket: borrowing Socket, connectingTo address: SocketAddress) -> DialFailure? {
        stages?.context.refusal(of: socket, connectingTo: address)
    }
}
