internal import Sockets

/// `admin:`.
public struct AdminSettings: Hashable, Sendable {
    /// `listen`.
    public var listen: ListenAddress
    /// `token_file`: the absolute path of a file with a bearer token; nil: none is asked for.
    public var tokenFile: String?
    /// `hosts`: names good in `Host` besides IP literals and localhost.
    public var hosts: [String]

    /// An admin server.
    public init(listen: ListenAddress, tokenFile: String? = nil, hosts: [String] = []) {
        self.listen = listen
        self.tokenFile = tokenFile
        self.hosts = hosts
    }

    /// The mode of the admin socket's file: its owner only.
    public static let unixMode: UInt16 = 0o600
    /// The variable of the environment that holds a token, for the server and for those who ask it.
    public static let tokenVariable = "TAPLINE_ADMIN_TOKEN"
    /// Where the admin server listens unless `listen` says otherwise: 127.0.0.1:9180.
    public static let defaultListen = ListenAddress.address(.ipv4(.loopback, port: 9180))
}
