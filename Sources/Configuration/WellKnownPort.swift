/// Ports by the names of their protocols, for proposals. `/etc/services` may have others, and may be missing.
enum WellKnownPort {
    private static let numbers: [String: UInt16] = [
        "amqp": 5672, "ftp": 21, "http": 80, "https": 443, "imap": 143, "ldap": 389, "memcached": 11_211,
        "mongodb": 27_017, "mqtt": 1883, "mysql": 3306, "postgres": 5432, "postgresql": 5432, "redis": 6379,
        "rediss": 6379, "smtp": 25, "ssh": 22, "ws": 80, "wss": 443,
    ]

    /// The names with which a URL asks for TLS.
    private static let secure: Set<String> = [
        "amqps", "ftps", "https", "imaps", "ldaps", "mqtts", "rediss", "smtps", "ssl", "tls", "wss",
    ]

    /// Whether the scheme of a URL stands for TLS; in any case.
    static func isSecure(_ scheme: some StringProtocol) -> Bool { secure.contains(scheme.lowercased()) }

    /// The port of a protocol's name, in any case; nil for other texts.
    static func number(of name: some StringProtocol) -> UInt16? { numbers[name.lowercased()] }
}
