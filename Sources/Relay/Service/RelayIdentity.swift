internal import Synchronization

/// What stays the same of a relay over reloads, also when it is renamed: its connections, of whatever generation, share
/// one. Which relays of two configurations are the same is for `ConfigurationDifference.previousNames` to say.
///
/// Any thread.
final class RelayIdentity: Sendable {
    /// The slots for connections, shared by all workers.
    let slots: Budget
    private let state: Mutex<(name: String, limit: Int)>

    /// A new relay, with a limit of connections at once. `wake` is that of its `Budget`.
    init(_ name: String, limit: Int, wake: @escaping @Sendable () -> Void) {
        slots = Budget(limit, wake: wake)
        state = Mutex((name, limit))
    }

    /// The name in the configuration in force; of a relay that was removed, its last one. A connection's record has the
    /// name at its accept.
    var name: String { state.withLock { $0.name } }

    func rename(to name: String) {
        state.withLock { $0.name = name }
    }

    /// Changes how many connections there may be. More slots wake the listeners that wait for one.
    func setLimit(_ limit: Int) {
        let growth = state.withLock { state in
            defer { state.limit = limit }
            return limit - state.limit
        }
        if growth != 0 { slots.grow(by: growth) }
    }
}

/// Equal is the same relay, whatever its name.
extension RelayIdentity: Hashable {
    static func == (one: RelayIdentity, other: RelayIdentity) -> Bool { one === other }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
