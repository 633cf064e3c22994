internal import TLS

/// A relay's sides in words, for people: TLS is `tls ` before an address.
extension RelaySettings {
    /// What stands before the addresses of its listeners: `tls `, or nothing.
    public var listenerMark: String { Self.mark(tls != nil) }

    /// Its listeners, separated by commas: `tls localhost:8443, starttls smtp`.
    public func listenerText(_ addresses: [String], separator: String = ", ") -> String {
        addresses.map { listenerMark + $0 }.joined(separator: separator)
            + (tls?.session.startTLS.map { ", starttls \($0.rawValue)" } ?? "")
    }

    /// An upstream of the relay: `tls db.example:5432, verify off`.
    public func upstreamText(_ upstream: String) -> String {
        guard let upstreamTLS else { return upstream }
        return Self.mark(true) + upstream + (upstreamTLS.session.startTLS.map { ", starttls \($0.rawValue)" } ?? "")
            + (upstreamTLS.verify == .full ? "" : ", verify \(upstreamTLS.verify.rawValue)")
    }

    private static func mark(_ isSecure: Bool) -> String { isSecure ? "tls " : "" }
}
