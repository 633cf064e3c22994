internal import CLinux

extension Errno {
    /// What the system would refuse of one more thread with an event loop; nil where it has all of it.
    ///
    /// For libraries that end the process where it does not: SwiftNIO's `MultiThreadedEventLoopGroup` is one. Another
    /// process may take the last of it in between.
    public static func refusingEventLoop() -> Errno? {
        let code = tapline_try_event_loop()
        return code == 0 ? nil : Errno(code)
    }
}
