internal import Configuration
internal import Sockets

/// What is bound now, and how to come from that to what a changed configuration wants.
///
/// A value that the service keeps behind a lock. A listener's identity is its address and not its relay: one that stays
/// keeps its socket and its queue, whoever it belongs to.
struct BoundListeners {
    /// One bound address.
    struct Entry {
        /// The relay whose it is, and the listener of that relay that asked for it.
        var relay: String
        var listen: ListenAddress
        let address: SocketAddress
        let file: SocketFile?
    }

    /// What a configuration changes, bound but not in force.
    struct Change {
        /// Everything that is bound when the change is in force, in the order of the configuration.
        var entries: [Entry] = []
        /// The new ones among them, with their sockets.
        var opened: [BoundAddress] = []
        /// What is bound now and wanted no more.
        var going: [Entry] = []

        /// Lets go of what was bound in vain. The sockets close when they are dropped.
        func abandon() {
            for address in opened { address.file?.remove() }
        }
    }

    private(set) var entries: [Entry] = []

    /// Binds what a configuration wants and is not there. Throws what a person can act on; nothing has changed then.
    func prepare(_ configuration: Configuration, _ binding: ListenerBinding) throws(SystemError) -> Change {
        var change = Change()
        let names = Set(configuration.relays.map(\.name))
        var kept = Set<SocketAddress>()
        var missing: [(place: Int, relay: String, listen: ListenAddress, addresses: [SocketAddress])] = []
        for relay in configuration.relays {
            for listen in relay.listen {
                var wanted: [SocketAddress] = []
                for address in listen.socketAddresses {
                    if let entry = entry(for: address, listen, { $0 == relay.name || !names.contains($0) }),
                        !kept.contains(entry.address)
                    {
                        kept.insert(entry.address)
                        change.entries.append(
                            Entry(relay: relay.name, listen: listen, address: entry.address, file: entry.file))
                    } else {
                        wanted.append(address)
                    }
                }
                if !wanted.isEmpty { missing.append((change.entries.count, relay.name, listen, wanted)) }
            }
        }
        change.going = entries.filter { !kept.contains($0.address) }
        let going = change.going.map(\.address)
        do {
            // From the back, so that the places found stay right.
            for (place, relay, listen, addresses) in missing.reversed() {
                let bound = try binding.bind(listen, only: addresses, for: relay, beside: going)
                change.opened += bound
                change.entries.insert(
                    contentsOf: bound.map { Entry(relay: relay, listen: listen, address: $0.address, file: $0.file) },
                    at: place)
            }
        } catch {
            change.abandon()
            throw error
        }
        return change
    }

    /// The entry that serves an address; a free port serves the relay that asked for it, or was asked for by one that
    /// is there no more.
    private func entry(
        for address: SocketAddress, _ listen: ListenAddress, _ mayComeFrom: (String) -> Bool
    ) -> Entry? {
        guard address.port == 0 else { return entries.first { $0.address == address } }
        return entries.first {
            $0.listen == listen && $0.address.family == address.family && mayComeFrom($0.relay)
        }
    }

    /// The change is in force. Files of Unix listeners that are gone are removed, and modes put right.
    mutating func adopt(_ change: Change) {
        for entry in change.going { entry.file?.remove() }
        for entry in change.entries {
            guard case .unix(_, let mode) = entry.listen, let file = entry.file,
                let old = entries.first(where: { $0.address == entry.address }), old.listen != entry.listen
            else { continue }
            // The file may have been removed by somebody; then there is no mode to put right.
            try? file.change(mode: mode)
        }
        entries = change.entries
    }

    /// Removes the files of Unix listeners, at the end.
    mutating func removeFiles() {
        for entry in entries { entry.file?.remove() }
        entries = []
    }
}
