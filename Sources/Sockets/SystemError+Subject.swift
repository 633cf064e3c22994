extension SystemError {
    /// What the attempt was about: the location in a configuration is found by it, never by the text.
    public enum Subject: Hashable, Sendable {
        /// A listening socket of the relay with this name.
        case listener(SocketAddress, relay: String)
        /// The admin API: its listening socket, its token or its thread.
        case admin
        /// The file at this path.
        case file(String)
    }
}
