internal import Sockets

/// The order in which addresses are tried.
enum AddressOrder {
    /// Interleaves the two families, beginning with that of the first address and keeping each family's own order, so
    /// that a broken family costs one delay and not one for each of its addresses (RFC 8305, section 4).
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        let leading = addresses.filter { $0.family == first.family }
        let others = addresses.filter { $0.family != first.family }
        guard !others.isEmpty else { return addresses }
        var order: [SocketAddress] = []
        order.reserveCapacity(addresses.count)
        for position in 0..<max(leading.count, others.count) {
            if position < leading.count { order.append(leading[position]) }
            if position < others.count { order.append(others[position]) }
        }
        return order
    }
}
