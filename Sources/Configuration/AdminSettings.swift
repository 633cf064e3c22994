internal import Sockets

/// `admin:`.
public struct AdminSettings: Hashable, Sendable {
    /// `listen`.
    public var listen: ListenAddress
    /// `token_file`: the absolute path of a file with a bearer token; nil: no token is required.
    public var tokenFile: String?
    /// `hosts`: names that `Host` may contain besides IP literals and localhost.
    public var hosts: [String]

    /// Settings with these values.
    public init(listen: ListenAddress, tokenFile: String? = nil, hosts: [String] = []) {
        self.listen = listen
        self.tokenFile = tokenFile
        self.hosts = hosts
    }

    /// The mode of the admin socket's file: access for its owner only.
    public static let unixMode: UInt16 = 0o600
    /// The environment variable that contains a token, for the server and for its clients.
    public static let tokenVariable = "TAPLINE_ADMIN_TOKEN"
    /// Where the admin server listens unless `listen` says otherwise: 127.0.0.1:9180.
    public static let defaultListen = ListenAddress.address(.ipv4(.loopback, port: 9180))
}
