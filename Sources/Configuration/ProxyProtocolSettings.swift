public import Sockets

/// `proxy_protocol:`. At least one of the two.
public struct ProxyProtocolSettings: Hashable, Sendable {
    /// The forms of a header that can be sent.
    public enum Version: String, CaseIterable, Hashable, Sendable {
        /// A line of text; binary.
        case v1, v2
    }

    /// `accept: true`, and what stands beside it.
    public struct Acceptance: Hashable, Sendable {
        /// `trusted`: the networks of those whose headers are believed; nobody else may connect over TCP. Whoever can
        /// open a Unix listener's file is trusted by its mode.
        public var trusted: [Network]
        /// `timeout`: how long a header may take from accept on; zero: for ever.
        public var timeout: Duration

        /// Headers are expected.
        public init(trusted: [Network], timeout: Duration = ProxyProtocolSettings.defaultTimeout) {
            self.trusted = trusted
            self.timeout = timeout
        }
    }

    /// Every client must begin with a header; nil: none may.
    public var accept: Acceptance?
    /// `send`: every upstream gets a header first; nil: none.
    public var send: Version?

    /// What a relay does with the PROXY protocol.
    public init(accept: Acceptance? = nil, send: Version? = nil) {
        self.accept = accept
        self.send = send
    }

    /// The default of `timeout`, and its least value: the specification (section 2) asks for three seconds, which a lost
    /// packet takes to come again.
    public static let defaultTimeout = Duration.seconds(3)
}
