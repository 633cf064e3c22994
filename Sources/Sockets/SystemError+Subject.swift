extension SystemError {
    /// What an error is about, by which its place in a configuration is found.
    public enum Subject: Hashable, Sendable {
        /// A listening socket of the relay with this name.
        case listener(SocketAddress, relay: String)
        /// The admin API: its listening socket, its token or its thread.
        case admin
        /// The file at this path.
        case file(String)
    }
}
