internal import Sockets

/// Compares what two configurations listen on.
enum ListenerComparison {
    /// What makes a listener the same one.
    private enum Identity: Hashable {
        case address(SocketAddress)
        /// A free port is another one for each relay; the number tells several of one relay apart.
        case freePort(SocketAddress, relay: String, number: Int)
    }

    private struct Entry {
        let identity: Identity
        let address: String
        let relay: String
        /// The name that the relay had before.
        let oldName: String
    }

    /// Which listeners come, go, and change hands. `oldNames` has the name that each of the new relays had before.
    static func compare(
        _ old: [RelaySettings], _ new: [RelaySettings], oldNames: [String: String]
    ) -> ConfigurationDifference.Listeners {
        let before = entries(old) { $0 }
        // A name that nobody had is no relay's: with a blank in front it cannot be one.
        let after = entries(new) { oldNames[$0] ?? " \($0)" }
        let owners = Dictionary(before.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let kept = Set(after.map(\.identity))
        var result = ConfigurationDifference.Listeners()
        for entry in after {
            guard let owner = owners[entry.identity] else {
                result.added.append(.init(address: entry.address, relay: entry.relay))
                continue
            }
            guard owner.relay != entry.oldName else { continue }
            result.moved.append(.init(address: entry.address, from: owner.relay, to: entry.relay))
        }
        for entry in before where !kept.contains(entry.identity) {
            result.removed.append(.init(address: entry.address, relay: entry.relay))
        }
        return result
    }

    private static func entries(_ relays: [RelaySettings], oldName: (String) -> String) -> [Entry] {
        relays.flatMap { relay in
            let oldName = oldName(relay.name)
            return relay.listen.flatMap(\.socketAddresses).enumerated().map { number, address in
                Entry(
                    identity: address.port == 0
                        ? .freePort(address, relay: oldName, number: number) : .address(address),
                    address: address.description, relay: relay.name, oldName: oldName)
            }
        }
    }
}
