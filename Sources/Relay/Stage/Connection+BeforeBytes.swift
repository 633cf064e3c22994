internal import Recording
internal import Sockets

/// Reading from a client of which something must be known before its upstream is connected.
extension Connection {
    /// Looks at what has come, or takes it, into the worker's scratch buffer.
    func receiveFromClient(_ limit: Int, peeking: Bool) -> Transfer {
        let scratch = worker.scratch
        if let client {
            return peeking
                ? client.socket.peek(into: scratch, limit: limit) : client.socket.receive(into: scratch, limit: limit)
        }
        return peeking
            ? clientSocket.peek(into: scratch, limit: limit) : clientSocket.receive(into: scratch, limit: limit)
    }

    /// Takes bytes that were looked at. They are there, but the peer may have reset since.
    func takeFromClient(_ count: Int) {
        var left = count
        while left > 0 {
            switch receiveFromClient(left, peeking: false) {
            case .moved(let taken): left -= taken
            case .failed(let error): return happened(.legFailed(.client, error))
            case .wouldBlock, .endOfStream: return happened(.sourceEnded(.up))
            }
        }
    }
}
