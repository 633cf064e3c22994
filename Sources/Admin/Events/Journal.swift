public import Relay
internal import Synchronization

/// The last end records and, while events are followed, the events since the last read.
///
/// Any thread. Workers write to it and must never wait: under the lock an array element is set, and reads occur at most ten
/// times a second for any number of clients.
public final class Journal: Sendable {
    /// An event.
    enum Event: Sendable {
        case opened(ConnectionRecord)
        case closed(ConnectionRecord)
        case reload(ReloadReport)
        case draining
    }

    /// The largest number of end records, and of events between two reads.
    static let mostClosed = 512
    static let mostEvents = 8192

    private struct Contents {
        var isKept: Bool
        var isFollowed = false
        /// A ring of end records. Once it is full, `oldest` is the next to be replaced.
        var closed: [ConnectionRecord] = []
        var oldest = 0
        var events: [Event] = []
        var lost = 0

        mutating func add(_ event: Event) {
            guard isFollowed else { return }
            if events.count < Journal.mostEvents { events.append(event) } else { lost += 1 }
        }
    }

    private let contents: Mutex<Contents>

    /// An empty journal. `isKept`: it stores end records from the start, because an admin server will listen; otherwise it
    /// stores nothing until `keep` or `follow` enables it.
    public init(isKept: Bool = false) {
        contents = Mutex(Contents(isKept: isKept))
    }

    // MARK: Writing

    /// A connection ended. On a worker's thread.
    public func closed(_ record: ConnectionRecord) {
        contents.withLock { contents in
            guard contents.isKept else { return }
            if contents.closed.count < Self.mostClosed {
                contents.closed.append(record)
            } else {
                contents.closed[contents.oldest] = record
                contents.oldest = (contents.oldest + 1) % Self.mostClosed
            }
            contents.add(.closed(record))
        }
    }

    /// A client was accepted. On a worker's thread.
    public func opened(_ record: ConnectionRecord) {
        contents.withLock { $0.add(.opened(record)) }
    }

    /// A reload has ended.
    public func reloaded(_ report: ReloadReport) {
        contents.withLock { $0.add(.reload(report)) }
    }

    /// Draining has begun.
    public func beganDraining() {
        contents.withLock { $0.add(.draining) }
    }

    // MARK: Reading

    /// Sets whether end records are stored: while an admin server listens.
    func keep(_ isKept: Bool) {
        contents.withLock { contents in
            contents.isKept = isKept
            if !isKept {
                contents.closed = []
                contents.oldest = 0
            }
        }
    }

    /// Sets whether events are stored for `takeEvents`.
    func follow(_ isFollowed: Bool) {
        contents.withLock { contents in
            guard contents.isFollowed != isFollowed else { return }
            contents.isFollowed = isFollowed
            contents.events = []
            contents.lost = 0
        }
    }

    /// The stored end records, newest first.
    var closedRecords: [ConnectionRecord] {
        let (closed, oldest) = contents.withLock { ($0.closed, $0.oldest) }
        return (closed[oldest...] + closed[..<oldest]).reversed()
    }

    /// Removes and returns the events since the last call, in order, and the number of those that did not fit.
    func takeEvents() -> (events: [Event], lost: Int) {
        contents.withLock { contents in
            defer {
                contents.events = []
                contents.lost = 0
            }
            return (contents.events, contents.lost)
        }
    }
}
