internal import Sockets

/// Compares the listeners of two configurations.
enum ListenerComparison {
    /// The identity of a listener across configurations.
    private enum Identity: Hashable {
        case address(SocketAddress)
        /// Port 0, which is a different port for each relay; the number distinguishes several of one relay.
        case freePort(SocketAddress, relay: String, number: Int)
    }

    private struct Entry {
        let identity: Identity
        let address: String
        let relay: String
        /// The relay's previous name.
        let oldName: String
    }

    /// The listeners that are added, removed and moved. `oldNames` maps new names to previous ones.
    static func compare(
        _ old: [RelaySettings], _ new: [RelaySettings], oldNames: [String: String]
    ) -> ConfigurationDifference.Listeners {
        let before = entries(old) { $0 }
        // A new relay has no previous name: with a leading space it equals no valid name.
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
