internal import Configuration
internal import Glibc
internal import Sockets

/// The bound listeners, and the steps from them to those of a changed configuration.
///
/// A value that the service keeps behind a lock. A listener's identity is its address and not its relay: one that stays
/// keeps its socket and its queue, whichever relay it belongs to.
struct BoundListeners {
    /// One bound address.
    struct Entry {
        /// The relay that the address belongs to, and that relay's `listen` entry for it.
        var relay: String
        var listen: ListenAddress
        let address: SocketAddress
        /// The file of a Unix listener that this process owns.
        let file: SocketFile?
        /// The process that bound it.
        let source: BoundAddress.Source
        /// Bound to every interface of IPv6, and for IPv4 clients too.
        let servesBothFamilies: Bool
        /// The number of its sockets in all workers: after an upgrade it may exceed the number of workers.
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

        /// The same address for another relay, or for another `listen` entry.
        func moved(to relay: String, _ listen: ListenAddress) -> Entry {
            var entry = self
            entry.relay = relay
            entry.listen = listen
            return entry
        }

        /// Sets the configured mode of a Unix listener's file.
        func applyMode() {
            guard case .unix(_, let mode) = listen else { return }
            // If another process removed the file, there is no mode to change.
            try? file?.change(mode: mode)
        }

        /// Every address that reaches it.
        var reachedAddresses: [SocketAddress] {
            guard servesBothFamilies, let port = address.port else { return [address] }
            return [address, .ipv4(.any, port: port)]
        }
    }

    /// The changes of a configuration, bound but not in force.
    struct Change {
        /// Everything that is bound once the change is in force, in the order of the configuration.
        var entries: [Entry] = []
        /// The new addresses among them, with their sockets.
        var opened: [BoundAddress] = []
        /// The entries that are bound now and no longer wanted.
        var going: [Entry] = []
        /// Their addresses, for other parts of the process that bind before the change is in force.
        var released: [HeldAddress] = []
        /// Addresses that another process handed over and no relay wants.
        var unwanted: [HandedAddress] = []

        /// Closes sockets bound for a rejected configuration, and removes their files.
        func abandon() {
            for address in opened where address.source == .own {
                for parcel in address.sockets.joined() { _ = parcel.takeSocket() }
                address.file?.remove()
                address.replaced?.restore()
            }
        }
    }

    private(set) var entries: [Entry] = []
    /// Addresses that other processes handed over: after the start only those of the service manager.
    private(set) var handed: [HandedAddress] = []
    /// Whether this process owns the files of sockets that a previous tapline handed over.
    private var ownsHandedFiles = false
    /// Those files that no listener here needs, until this process owns them.
    private var strayFiles: [SocketFile] = []

    /// Only the handed-over addresses; nothing else is bound yet.
    init(handed: [HandedAddress] = []) {
        self.handed = handed
    }

    // MARK: Preparing

    /// Binds a configuration's new addresses. `previousNames` has the existing relays, and the name of each in the
    /// configuration in force. Throws an error that a person can act on; nothing has changed then.
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
            // By the name that the service manager gave it, in addition to the relay's own addresses.
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
        // Also the addresses of the previous tapline, until it is notified that this one is ready.
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

    /// Puts the change in force. Removes the files of removed Unix listeners, and corrects modes.
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

    /// The process that handed its sockets over no longer uses them: this process owns their files from now on. They
    /// get the modes of this configuration, and the files of unwanted sockets are removed.
    mutating func ownHandedFiles() {
        ownsHandedFiles = true
        for file in strayFiles { file.remove() }
        strayFiles = []
        for entry in entries where entry.source == .tapline { entry.applyMode() }
    }

    /// Another process serves the sockets from now on and owns their files.
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

/// How to get every address that a configuration wants; nothing is done yet.
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
    /// Handed-over addresses that no relay has wanted so far.
    private(set) var left: [HandedAddress]

    init(handed: [HandedAddress]) {
        left = handed
    }

    /// Keeps a bound address; false if there is none, or another listener has it.
    mutating func keep(_ entry: BoundListeners.Entry?, _ relay: String, _ listen: ListenAddress) -> Bool {
        guard let entry, kept.insert(entry.address).inserted else { return false }
        left.removeAll { $0.address == entry.address }
        steps.append(.keep(entry.moved(to: relay, listen)))
        return true
    }

    /// Uses an address that was handed over; false if there is none.
    mutating func inherit(_ address: SocketAddress, _ relay: String, _ listen: ListenAddress) -> Bool {
        guard let found = left.first(where: { $0.serves(address, of: relay) }) else { return false }
        inherit(found, relay, listen)
        return true
    }

    mutating func inherit(_ handed: HandedAddress, _ relay: String, _ listen: ListenAddress) {
        left.removeAll { $0 === handed }
        steps.append(.inherit(handed, relay: relay, listen))
    }

    /// Binds missing addresses. A free port is that of the listener's other address if it has one already.
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

    /// Whether every interface of IPv4 is served by an IPv6 socket that the service manager bound for both, as
    /// `ListenStream=8080` does.
    func isCovered(_ address: SocketAddress, _ listen: ListenAddress, _ entries: [BoundListeners.Entry]) -> Bool {
        guard case .everyInterface(let port) = listen, address.family == AF_INET else { return false }
        let both = SocketAddress.ipv6(.any, port: port)
        return left.contains { $0.servesBothFamilies && $0.address == both }
            || entries.contains { $0.servesBothFamilies && $0.address == both }
    }
}

extension ListenAddress {
    /// The `listen` entry of a socket that a relay got by its name.
    fileprivate init(_ address: SocketAddress) {
        self =
            if case .unix(let path) = address {
                .unix(path: path, mode: Self.defaultUnixMode)
            } else {
                .address(address)
            }
    }
}
