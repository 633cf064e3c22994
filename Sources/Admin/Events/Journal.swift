public import Relay
internal import Synchronization

/// What happened of late: the last end records, and, while somebody follows, everything since they looked last.
///
/// Any thread. Workers write it and must never wait: under the lock there is only a place in an array to fill, and
/// whoever reads does so ten times a second at most, however many clients ask.
public final class Journal: Sendable {
    /// Something that happened.
    enum Event: Sendable {
        case opened(ConnectionRecord)
        case closed(ConnectionRecord)
        case reload(ReloadReport)
        case draining
    }

    /// How many end records are kept, and how many events wait for whoever follows.
    static let mostClosed = 512
    static let mostEvents = 8192

    private struct Pages {
        var isKept = false
        var isFollowed = false
        /// The end records; once full, `oldest` is where the next goes.
        var closed: [ConnectionRecord] = []
        var oldest = 0
        var events: [Event] = []
        var lost = 0

        mutating func add(_ event: Event) {
            guard isFollowed else { return }
            if events.count < Journal.mostEvents { events.append(event) } else { lost += 1 }
        }
    }

    private let pages = Mutex(Pages())

    /// An empty journal, which keeps nothing until it is told to.
    public init() {}

    // MARK: Writing

    /// A connection ended. On a worker's thread.
    public func closed(_ record: ConnectionRecord) {
        pages.withLock { pages in
            guard pages.isKept else { return }
            if pages.closed.count < Self.mostClosed {
                pages.closed.append(record)
            } else {
                pages.closed[pages.oldest] = record
                pages.oldest = (pages.oldest + 1) % Self.mostClosed
            }
            pages.add(.closed(record))
        }
    }

    /// A client was accepted. On a worker's thread.
    public func opened(_ record: ConnectionRecord) {
        pages.withLock { $0.add(.opened(record)) }
    }

    /// A reload is done.
    public func reloaded(_ report: ReloadReport) {
        pages.withLock { $0.add(.reload(report)) }
    }

    /// Draining has begun.
    public func beganDraining() {
        pages.withLock { $0.add(.draining) }
    }

    // MARK: Reading

    /// Whether end records are kept at all: while there is an admin server.
    func keep(_ isKept: Bool) {
        pages.withLock { pages in
            pages.isKept = isKept
            if !isKept {
                pages.closed = []
                pages.oldest = 0
            }
        }
    }

    /// Whether events are kept for `takeEvents`.
    func follow(_ isFollowed: Bool) {
        pages.withLock { pages in
            guard pages.isFollowed != isFollowed else { return }
            pages.isFollowed = isFollowed
            pages.events = []
            pages.lost = 0
        }
    }

    /// The kept end records, the latest first.
    var closedRecords: [ConnectionRecord] {
        let (closed, oldest) = pages.withLock { ($0.closed, $0.oldest) }
        return (closed[oldest...] + closed[..<oldest]).reversed()
    }

    /// What happened since the last call, in order, and how much more for which there was no room.
    func takeEvents() -> (events: [Event], lost: Int) {
        pages.withLock { pages in
            defer {
                pages.events = []
                pages.lost = 0
            }
            return (pages.events, pages.lost)
        }
    }
}
