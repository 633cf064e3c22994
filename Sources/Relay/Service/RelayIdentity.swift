internal import Synchronization

/// The part of a relay that is the same over reloads, also when it is renamed. Its connections of all generations share
/// it. `ConfigurationDifference.previousNames` decides which relays of two configurations are the same.
///
/// Any thread.
final class RelayIdentity: Sendable {
    /// The connection slots, shared by all workers.
    let slots: Budget
    private let state: Mutex<(name: String, limit: Int)>

    /// A new relay, with a limit of concurrent connections. `wake` is that of its `Budget`.
    init(_ name: String, limit: Int, wake: @escaping @Sendable () -> Void) {
        slots = Budget(limit, wake: wake)
        state = Mutex((name, limit))
    }

    /// The name in the configuration in force, or the last name of a removed relay. A connection's record has the name
    /// at its accept.
    var name: String { state.withLock { $0.name } }

    func rename(to name: String) {
        state.withLock { $0.name = name }
    }

    /// Changes the limit of concurrent connections. Additional slots wake the listeners that wait for one.
    func setLimit(_ limit: Int) {
        let growth = state.withLock { state in
            defer { state.limit = limit }
            return limit - state.limit
        }
        if growth != 0 { slots.grow(by: growth) }
    }
}

/// By identity, whatever the name.
extension RelayIdentity: Hashable {
    static func == (one: RelayIdentity, other: RelayIdentity) -> Bool { one === other }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
