internal import Sockets

/// The owner of a dialer: it may veto addresses and sockets, and it gets the result. On the loop's thread.
///
/// Connections dial their upstream; health checks dial endpoints.
protocol DialerDelegate: AnyObject {
    /// Why an address must not be tried, e.g. one that leads back to Tapline; nil if it may be tried. Called before a
    /// socket is opened.
    func refusal(of address: SocketAddress) -> DialFailure?

    /// Sets what a socket needs before its connect, beyond the options of every upstream socket. A failure ends the
    /// attempt.
    func prepare(_ socket: borrowing Socket, for address: SocketAddress) -> DialFailure?

    /// Why a socket whose connect has begun or succeeded must not be used; nil if it may be.
    func refusal(of socket: borrowing Socket, connectingTo address: SocketAddress) -> DialFailure?

    /// A socket is connected. Called once; `connectFailed` is not called then. `error` says that the peer has reset
    /// since, which the socket does not report again; what the peer sent before can still be read.
    func connected(_ socket: consuming Socket, to address: SocketAddress, failed error: Errno?)

    /// No address could be connected. Called once; `connected` is not called then.
    func connectFailed(_ failure: DialFailure)
}
