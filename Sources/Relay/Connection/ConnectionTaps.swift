internal import Recorder
internal import Recording
internal import Sockets

/// The recordings of one connection: those in progress, and the byte counts of those that have stopped. Owned by the
/// connection, on the worker's thread.
struct ConnectionTaps {
    private var taps: [ConnectionTap] = []
    private var detached: [DetachedTap] = []
    /// The flows whose end in order was passed on to the taps.
    private(set) var endedFlows = EndedFlows()

    var isEmpty: Bool { taps.isEmpty }

    /// The tap of the recorder with records; a connection has at most one, so that every byte is recorded once.
    var withRecords: ConnectionTap? { taps.first { $0.recorder.hasRecords } }

    func contains(_ recorder: Recorder) -> Bool {
        taps.contains { $0.recorder === recorder }
    }

    mutating func add(_ tap: ConnectionTap) {
        taps.append(tap)
    }

    /// The client has become known, and so has the conversation's origin.
    func introduce(as origin: ConversationOrigin, acceptedTicks: UInt64) {
        for tap in taps { tap.introduced(as: origin, acceptedTicks: acceptedTicks) }
    }

    /// A TLS handshake is complete.
    func secured(_ session: ConversationSecurity) {
        for tap in taps { tap.secured(session) }
    }

    /// The upstream is connected.
    func connected(to address: SocketAddress) {
        for tap in taps { tap.connected(to: address) }
    }

    /// Stops one recording; the connection continues. Returns whether there was one.
    mutating func stop(_ recorder: Recorder) -> Bool {
        guard let index = taps.firstIndex(where: { $0.recorder === recorder }) else { return false }
        if let stopped = taps.remove(at: index).stopped() { detached.append(stopped) }
        return true
    }

    /// A flow ended in order, and its end was passed on.
    mutating func flowEnded(_ direction: Direction, at offset: UInt64) {
        guard endedFlows.insert(direction) else { return }
        for tap in taps { tap.flowEnded(direction, at: offset) }
    }

    /// The connection has ended. Its tap with records, if there is one, completes the record.
    mutating func end(_ end: ConversationEnd) {
        for tap in taps { tap.ended(end) }
        taps = []
    }

    /// The flows' view of the taps; nil if there is none.
    func forFlows(of id: UInt64, view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?) -> FlowTaps? {
        taps.isEmpty && view == nil ? nil : FlowTaps(taps, connection: id, view: view)
    }

    /// Adds to a record how many bytes were recorded so far, and how many were dropped.
    func count(in record: inout ConnectionRecord) {
        let written = taps.filter(\.recorder.hasRecords)
        guard !written.isEmpty || !detached.isEmpty else { return }
        var recorded: UInt64 = 0
        var dropped: UInt64 = 0
        // The recorder's thread counts lost bytes, and may be ahead of this thread's counts.
        func count(_ taken: UInt64, _ missed: UInt64, lost: UInt64) {
            recorded &+= taken - min(taken, lost)
            dropped &+= missed &+ lost
        }
        for tap in detached {
            count(tap.taken, tap.missed, lost: tap.account.lost)
        }
        for tap in written {
            // At the end the recorder reports what it lost.
            count(tap.taken, tap.missed, lost: record.end == nil ? tap.account.lost : 0)
        }
        record.recordedBytes = recorded
        record.droppedBytes = dropped
    }
}
