import Admin
import EventLoop
import Sockets

/// The admin API's socket while nothing serves it: the first client that connects is reported, and waits in the kernel's
/// queue. The server's thread and its memory are only needed then.
///
/// Owned by `AdminHost`, on its loop's thread.
final class DormantListener: Poll {
    private var listener: AdminListener?
    private let clientArrived: () -> Void

    /// Watches a bound listener. Throws where epoll refuses it; then the listener is discarded.
    init(_ listener: AdminListener, loop: EventLoop, clientArrived: @escaping () -> Void) throws {
        self.listener = listener
        self.clientArrived = clientArrived
        do {
            try super.init(loop: loop, fd: listener.descriptor ?? -1, for: .readable)
        } catch {
            listener.discard()
            throw error
        }
    }

    override func ready(_ events: Events) {
        clientArrived()
    }

    /// Ends the watch and returns the listener, which the caller serves or discards; nil after the first call.
    func takeListener() -> AdminListener? {
        defer { listener = nil }
        if listener != nil { close() }
        return listener
    }
}
