public import Sockets

/// `proxy_protocol:`. At least one property is set.
public struct ProxyProtocolSettings: Hashable, Sendable {
    /// The versions of a header that can be sent.
    public enum Version: String, CaseIterable, Hashable, Sendable {
        /// A line of text, and the binary format.
        case v1, v2
    }

    /// `accept: true` with its settings.
    public struct Acceptance: Hashable, Sendable {
        /// `trusted`: the networks whose headers are believed; other TCP clients are refused. Clients of a Unix listener
        /// are trusted by its file's mode.
        public var trusted: [Network]
        /// `timeout`: the time from accept to a complete header; zero: unlimited.
        public var timeout: Duration

        /// Settings with these values.
        public init(trusted: [Network], timeout: Duration = ProxyProtocolSettings.defaultTimeout) {
            self.trusted = trusted
            self.timeout = timeout
        }
    }

    /// Every client must begin with a header; nil: headers are not expected.
    public var accept: Acceptance?
    /// `send`: the header that is sent first to every upstream; nil: none.
    public var send: Version?

    /// Settings with these values.
    public init(accept: Acceptance? = nil, send: Version? = nil) {
        self.accept = accept
        self.send = send
    }

    /// The default of `timeout` and its minimum: the specification (section 2) requires three seconds, so that a lost packet
    /// can be retransmitted.
    public static let defaultTimeout = Duration.seconds(3)
}
