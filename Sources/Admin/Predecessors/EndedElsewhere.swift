internal import Text

/// The last connections that ended in predecessors, as the API's objects. A value.
///
/// Kept after a predecessor has ended: it would take its end records with it.
struct EndedElsewhere: Sendable {
    private struct Entry {
        let id: UInt64
        let connection: JSONValue
    }

    private var entries: [Entry] = []

    /// Adds an ended connection, once. Of more than `Journal.mostClosed`, the earliest are dropped. Returns whether it
    /// is new.
    mutating func add(_ connection: JSONValue, of process: Int32) -> Bool {
        guard let id = connection["id"].count, !connection["reason"].isNull, !entries.contains(where: { $0.id == id })
        else { return false }
        let entry = Entry(id: id, connection: connection.ofProcess(process))
        // They are sent in order, but in two lists.
        let time = connection["time"].text ?? ""
        let position = entries.lastIndex { ($0.connection["time"].text ?? "") <= time }.map { $0 + 1 } ?? 0
        entries.insert(entry, at: position)
        if entries.count > Journal.mostClosed { entries.removeFirst() }
        return true
    }

    /// The connections, newest first.
    var latestFirst: [JSONValue] { entries.reversed().map(\.connection) }

    /// Whether one of them was of this relay.
    func has(relay: String) -> Bool { entries.contains { $0.connection["relay"].text == relay } }

    /// The ended connection with this id.
    func connection(_ id: UInt64) -> JSONValue? { entries.first { $0.id == id }?.connection }
}

extension JSONValue {
    /// The connection's object with the process that has it. One that names a process, which the sender took over from,
    /// stays as it is.
    func ofProcess(_ process: Int32) -> JSONValue {
        guard case .object(let members) = self, self[ConnectionView.processKey].isNull else { return self }
        let own = Member(key: ConnectionView.processKey, value: .number("\(process)"))
        return .object(members.filter { $0.key != own.key } + [own])
    }

    /// A relay's object, of a process whose configuration is not in force any more.
    var unconfigured: JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(members.map { $0.key == "configured" ? Member(key: $0.key, value: .boolean(false)) : $0 })
    }

    /// The members of an end record: those before the state of a connection's object.
    var endRecord: JSONValue {
        .object(Array(members.prefix { $0.key != ConnectionView.firstLiveKey }))
    }
}
