/// Sockets from the service manager that no relay listens on: their clients would never be accepted.
public struct UnwantedSockets: Error, Hashable, Sendable, CustomStringConvertible {
    /// The descriptor, name and address of each.
    public let sockets: [String]

    /// The error and what to do.
    public var description: String {
        sockets.map { socket in
            "the service manager has passed \(socket), and no relay listens there; give a relay that address in "
                + "`listen`, or name the socket after a relay (FileDescriptorName=), or remove it from the socket unit"
        }.joined(separator: "\n")
    }
}
