internal import Configuration
internal import Glibc
internal import Sockets

/// What is bound now, and how to come from that to what a changed configuration wants.
///
/// A value that the service keeps behind a lock. A listener's identity is its address and not its relay: one that stays
/// keeps its socket and its queue, whichever relay it belongs to.
struct BoundListeners {
    /// One bound address.
    struct Entry {
        /// The relay whose it is, and the listener of that relay that asked for it.
        var relay: String
        var listen: ListenAddress
        let address: SocketAddress
        /// The file of a Unix listener that is ours.
        let file: SocketFile?
        /// Who bound it.
        let source: BoundAddress.Source
        /// Bound to every interface of IPv6, and for clients of IPv4 too.
        let servesBothFamilies: Bool
        /// How many sockets it has, in all workers: after an upgrade there may be more of them than workers.
        let sockets: Int

        /// A new entry of a relay.
        init(relay: String, listen: ListenAddress, _ bound: BoundAddress) {
            self.relay = relay
            self.listen = listen
            address = bound.address
            file = bound.file
            source = bound.source
            servesBothFamilies = bound.servesBothFamilies
            sockets = bound.sockets.reduce(0) { $0 + $1.count }
        }

        /// The same address as another relay's, or another listener's.
        func moved(to relay: String, _ listen: ListenAddress) -> Entry {
            var entry = self
            entry.relay = relay
            entry.listen = listen
            return entry
        }

        /// Gives the file of a Unix listener the mode that its relay wants.
        func applyMode() {
            guard case .unix(_, let mode) = listen else { return }
            // If another process removed the file, there is no mode to change.
            try? file?.change(mode: mode)
        }

        /// Every address that leads to it.
        var reachedAddresses: [SocketAddress] {
            guard servesBothFamilies, let port = address.port else { return [address] }
            return [address, .ipv4(.any, port: port)]
        }
    }

    /// What a configuration changes, bound but not in force.
    struct Change {
        /// Everything that is bound when the change is in force, in the order of the configuration.
        var entries: [Entry] = []
        /// The new ones among them, with their sockets.
        var opened: [BoundAddress] = []
        /// What is bound now and wanted no more.
        var going: [Entry] = []
        /// The same, for others that bind before the change is in force.
        var released: [HeldAddress] = []
        /// What another process handed over and no relay wants.
        var unwanted: [HandedAddress] = []

        /// Closes what was bound and is not wanted after all, and removes its files.
        func abandon() {
            for address in opened where address.source == .own {
                for parcel in address.sockets.joined() { _ = parcel.takeSocket() }
                address.file?.remove()
                address.replaced?.restore()
            }
        }
    }

    private(set) var entries: [Entry] = []
    /// What other processes handed over: after the start only what the service manager keeps.
    private(set) var handed: [HandedAddress] = []
    /// Whether files of sockets that a tapline before this one handed over are ours to remove.
    private var ownsHandedFiles = false
    /// Those of them that no listener here needs, until then.
    private var strayFiles: [SocketFile] = []

    /// Nothing is bound yet, but for what was handed over.
    init(handed: [HandedAddress] = []) {
        self.handed = handed
    }

    // MARK: Preparing

    /// Binds what a configuration wants and is not there. `previousNames` says which relays are there already, and under
    /// which name. Throws what a person can act on; nothing has changed then.
    func prepare(
        _ configuration: Configuration, previousNames: [String: String], _ binding: ListenerBinding,
        released: [HeldAddress] = []
    ) throws(SystemError) -> Change {
        var plan = Plan(handed: handed)
        for relay in configuration.relays {
            for listen in relay.listen {
                var wanted: [SocketAddress] = []
                for address in listen.socketAddresses where !plan.isCovered(address, listen, entries) {
                    let known = entry(for: address, listen, of: previousNames[relay.name])
                    if !plan.keep(known, relay.name, listen), !plan.inherit(address, relay.name, listen) {
                        wanted.append(address)
                    }
                }
                plan.bind(wanted, relay.name, listen)
            }
        }
        for relay in configuration.relays {
            // By the name that the service manager gave it, beside what the relay itself asks for.
            for handed in plan.left where handed.isOfManager && handed.label == relay.name {
                let listen = ListenAddress(handed.address)
                let known = entries.first { $0.address == handed.address }
                if !plan.keep(known, relay.name, listen) { plan.inherit(handed, relay.name, listen) }
            }
        }
        return try carryOut(plan, binding, released)
    }

    /// The entry that serves an address; a free port stays with the relay that it was bound for, whose name was
    /// `previousName`.
    private func entry(
        for address: SocketAddress, _ listen: ListenAddress, of previousName: String?
    ) -> Entry? {
        guard address.port == 0 else { return entries.first { $0.address == address } }
        return entries.first {
            $0.listen == listen && $0.address.family == address.family && $0.relay == previousName
        }
    }

    private func carryOut(
        _ plan: Plan, _ binding: ListenerBinding, _ released: [HeldAddress]
    ) throws(SystemError) -> Change {
        var change = Change()
        change.going = entries.filter { !plan.kept.contains($0.address) }
        change.released = change.going.map { entry in
            let ownsFile = entry.source == .own || (entry.source == .tapline && ownsHandedFiles)
            return HeldAddress(entry.address, file: ownsFile ? entry.file : nil)
        }
        change.unwanted = plan.left
        // Also what a tapline before this one listens on, until it is told that this one is ready.
        let released =
            released + change.released + plan.left.filter { !$0.isOfManager }.map { HeldAddress($0.address) }
        do {
            for step in plan.steps {
                switch step {
                case .keep(let entry):
                    change.entries.append(entry)
                case .inherit(let handed, let relay, let listen):
                    let bound = try binding.inherit(handed, for: relay)
                    change.opened.append(bound)
                    change.entries.append(Entry(relay: relay, listen: listen, bound))
                case .bind(let addresses, let relay, let listen):
                    let bound = try binding.bind(listen, only: addresses, for: relay, released: released)
                    change.opened += bound
                    change.entries += bound.map { Entry(relay: relay, listen: listen, $0) }
                }
            }
        } catch {
            change.abandon()
            throw error
        }
        return change
    }

    // MARK: In force

    /// The change is in force. Files of Unix listeners that are gone are removed, and modes put right.
    mutating func adopt(_ change: Change) {
        for entry in change.going { remove(entry) }
        for bound in change.opened { bound.replaced?.remove() }
        for entry in change.entries {
            guard let old = entries.first(where: { $0.address == entry.address }), old.listen != entry.listen else {
                continue
            }
            entry.applyMode()
        }
        entries = change.entries
        strayFiles += change.unwanted.compactMap(\.file)
        for address in change.unwanted where !address.isOfManager { address.close() }
        handed.removeAll { !$0.isOfManager }
    }

    // MARK: Files

    private mutating func remove(_ entry: Entry) {
        guard let file = entry.file else { return }
        if entry.source == .tapline, !ownsHandedFiles { strayFiles.append(file) } else { file.remove() }
    }

    /// The process that had handed its sockets over is through with them: their files are ours from now on, get the modes
    /// of our configuration, and those of sockets that no relay wants are removed.
    mutating func ownHandedFiles() {
        ownsHandedFiles = true
        for file in strayFiles { file.remove() }
        strayFiles = []
        for entry in entries where entry.source == .tapline { entry.applyMode() }
    }

    /// Another process serves the sockets from now on: their files are its.
    mutating func disownFiles() {
        entries = []
    }

    /// Removes the files of Unix listeners, at the end.
    mutating func removeFiles() {
        for entry in entries { remove(entry) }
        entries = []
    }
}

// MARK: - What to do

/// How every address that a configuration wants comes to be there; nothing is done yet.
private struct Plan {
    /// One address, or several of one listener that are bound together.
    enum Step {
        case keep(BoundListeners.Entry)
        case inherit(HandedAddress, relay: String, ListenAddress)
        case bind([SocketAddress], relay: String, ListenAddress)
    }

    /// In the order of the configuration.
    private(set) var steps: [Step] = []
    /// The addresses that stay bound.
    private(set) var kept: Set<SocketAddress> = []
    /// What was handed over and is not wanted so far.
    private(set) var left: [HandedAddress]

    init(handed: [HandedAddress]) {
        left = handed
    }

    /// An address that is bound stays; false when there is none, or another listener has it.
    mutating func keep(_ entry: BoundListeners.Entry?, _ relay: String, _ listen: ListenAddress) -> Bool {
        guard let entry, kept.insert(entry.address).inserted else { return false }
        left.removeAll { $0.address == entry.address }
        steps.append(.keep(entry.moved(to: relay, listen)))
        return true
    }

    /// An address that was handed over is taken; false when there is none.
    mutating func inherit(_ address: SocketAddress, _ relay: String, _ listen: ListenAddress) -> Bool {
        guard let found = left.first(where: { $0.serves(address, of: relay) }) else { return false }
        inherit(found, relay, listen)
        return true
    }

    mutating func inherit(_ handed: HandedAddress, _ relay: String, _ listen: ListenAddress) {
        left.removeAll { $0 === handed }
        steps.append(.inherit(handed, relay: relay, listen))
    }

    /// Addresses that are not there are bound. A free port is that of the listener's other address, where this one is
    /// there already.
    mutating func bind(_ addresses: [SocketAddress], _ relay: String, _ listen: ListenAddress) {
        guard !addresses.isEmpty else { return }
        let port = steps.lazy.compactMap { step -> UInt16? in
            switch step {
            case .keep(let entry) where entry.relay == relay && entry.listen == listen: entry.address.port
            case .inherit(let handed, relay, listen): handed.address.port
            case .keep, .inherit, .bind: nil
            }
        }.first
        let wanted = addresses.map { $0.port == 0 ? $0.with(port: port ?? 0) : $0 }
        steps.append(.bind(wanted, relay: relay, listen))
    }

    /// Whether every interface of IPv4 is served by a socket of IPv6 that the service manager made for both, which is
    /// what `ListenStream=8080` does.
    func isCovered(_ address: SocketAddress, _ listen: ListenAddress, _ entries: [BoundListeners.Entry]) -> Bool {
        guard case .everyInterface(let port) = listen, address.family == AF_INET else { return false }
        let both = SocketAddress.ipv6(.any, port: port)
        return left.contains { $0.servesBothFamilies && $0.address == both }
            || entries.contains { $0.servesBothFamilies && $0.address == both }
    }
}

extension ListenAddress {
    /// Where a socket is bound that a relay got by its name.
    fileprivate init(_ address: SocketAddress) {
        self =
            if case .unix(let path) = address {
                .unix(path: path, mode: Self.defaultUnixMode)
            } else {
                .address(address)
            }
    }
}
