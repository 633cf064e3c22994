internal import CLinux

extension Errno {
    /// The error with which the system would refuse another thread with an event loop; nil if it has the resources.
    ///
    /// For libraries that trap in that case, such as SwiftNIO's `MultiThreadedEventLoopGroup`. Another process may
    /// still take the last resource in between.
    public static func refusingEventLoop() -> Errno? {
        let code = tapline_try_event_loop()
        return code == 0 ? nil : Errno(code)
    }
}
