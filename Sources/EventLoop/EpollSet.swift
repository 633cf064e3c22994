internal import CLinux
internal import Glibc

/// An epoll descriptor, its event buffer and the table of watches (epoll(7)), level-triggered. Owned by its loop, on
/// the loop's thread.
///
/// The kernel gets a descriptor and a generation as an entry's data, never a pointer. An entry outlives its watch when
/// the descriptor was closed while another process held a copy of it: `posix_spawn` copies the descriptor table until
/// the new program is executed. The events of such an entry match no watch and are dropped.
final class EpollSet {
    /// epoll_ctl(2), or a test's substitute.
    typealias Control = (CInt, CInt, CInt, UnsafeMutablePointer<epoll_event>) -> CInt

    /// The largest number of events per wait: more would delay timers and mailboxes.
    static let maxEvents = 256
    /// The table grows in steps of this many descriptors.
    private static let tableStep = 1024
    /// The key of libuv's descriptor. No watch has it, because descriptors are not negative.
    private static let uvKey = UInt64.max
    /// The key of quiet watches, whose events are dropped.
    private static let quietKey = UInt64.max - 1

    private var fd: CInt
    private let uvDescriptor: CInt
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: maxEvents)
    /// Watches by descriptor.
    private var watches = UnsafeMutableBufferPointer<Unmanaged<Poll>?>(start: nil, count: 0)
    private var generation: UInt32 = 0
    /// Watches removed since the last wait, which may have returned events for them.
    private var removals = 0
    /// The result of the last `notify`.
    private(set) var staleness = Staleness.none

    /// Whether the kernel's set has entries without a watch.
    enum Staleness {
        /// Every event had a watch.
        case none
        /// The unmatched events may belong to watches that were closed in this turn.
        case unknown
        /// At least one entry has no watch.
        case certain
    }
    var control: Control = { epoll_ctl($0, $1, $2, $3) }

    /// Creates a set that contains libuv's descriptor.
    init(uvDescriptor: CInt) throws(UVError) {
        self.uvDescriptor = uvDescriptor
        fd = -1
        fd = try makeDescriptor()
    }

    deinit {
        if fd >= 0 { _ = Glibc.close(fd) }
        events.deallocate()
        watches.deallocate()
    }

    private func makeDescriptor() throws(UVError) -> CInt {
        let made = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard made >= 0 else { throw UVError(code: -errno) }
        let result = change(made, EPOLL_CTL_ADD, uvDescriptor, Poll.Events.readable.rawValue, Self.uvKey)
        guard result == 0 else {
            _ = Glibc.close(made)
            throw UVError(code: result)
        }
        return made
    }

    private func change(_ set: CInt, _ operation: CInt, _ descriptor: CInt, _ events: UInt32, _ key: UInt64) -> CInt {
        var entry = epoll_event()
        entry.events = events
        entry.data.u64 = key
        return control(set, operation, descriptor, &entry) == 0 ? 0 : -errno
    }

    // MARK: Watches

    /// Adds a watch under a new generation. Returns 0 or a negative error number; after an error the set is unchanged.
    func add(_ poll: Poll, _ events: Poll.Events) -> CInt {
        generation &+= 1
        poll.generation = generation
        let result = change(fd, EPOLL_CTL_ADD, poll.fd, events.rawValue, poll.key)
        guard result == 0 else { return result }
        let position = Int(poll.fd)
        if position >= watches.count { growTable(toHold: position) }
        watches[position] = .passUnretained(poll)
        return 0
    }

    /// Changes a watch's events; nil makes it quiet. A quiet watch stays in the set, so that it can be reactivated
    /// without new memory in the kernel. Returns 0 or a negative error number; after an error the set is unchanged.
    func modify(_ poll: Poll, _ events: Poll.Events?) -> CInt {
        if let events { return change(fd, EPOLL_CTL_MOD, poll.fd, events.rawValue, poll.key) }
        return change(fd, EPOLL_CTL_MOD, poll.fd, Poll.Events.edge.rawValue, Self.quietKey)
    }

    /// Removes a watch. `fromKernel` is false if the descriptor is about to be closed: that removes the kernel's entry
    /// without a system call, at once or later (see the type's comment).
    func remove(_ poll: Poll, fromKernel: Bool) {
        let position = Int(poll.fd)
        if watches[position]?.toOpaque() == Unmanaged.passUnretained(poll).toOpaque() { watches[position] = nil }
        removals &+= 1
        // An error means that the kernel has no such entry.
        if fromKernel { _ = change(fd, EPOLL_CTL_DEL, poll.fd, 0, 0) }
    }

    private func growTable(toHold position: Int) {
        let count = (position / Self.tableStep + 1) * Self.tableStep
        let grown = UnsafeMutableBufferPointer<Unmanaged<Poll>?>.allocate(capacity: count)
        let end = grown.update(fromContentsOf: watches)
        grown[end...].update(repeating: nil)
        watches.deallocate()
        watches = grown
    }

    // MARK: Waiting

    /// Waits up to a number of milliseconds (-1: without limit). Returns the number of events for `notify`, and whether
    /// one of them is libuv's.
    @inline(__always)
    func wait(_ milliseconds: CInt) -> (count: Int, isForUV: Bool) {
        removals = 0
        // EINTR ends the wait early and has no other effect.
        let count = max(0, Int(epoll_wait(fd, events, CInt(Self.maxEvents), milliseconds)))
        for position in 0..<count where events[position].data.u64 == Self.uvKey { return (count, true) }
        return (count, false)
    }

    /// Passes the events of the last wait to their watches. A watch closed by a callback must stay in memory until this
    /// returns.
    @inline(__always)
    func notify(_ count: Int) {
        var unmatched = 0
        for position in 0..<count {
            let key = events[position].data.u64
            let descriptor = Int(truncatingIfNeeded: key & 0xffff_ffff)
            guard descriptor < watches.count, let watch = watches[descriptor] else {
                if key < Self.quietKey { unmatched &+= 1 }
                continue
            }
            watch._withUnsafeGuaranteedRef { poll in
                if poll.key == key {
                    poll.ready(Poll.Events(rawValue: events[position].events))
                } else {
                    unmatched &+= 1
                }
            }
        }
        staleness = unmatched == 0 ? .none : unmatched > removals ? .certain : .unknown
    }

    /// Moves every watch to a new epoll descriptor, which drops stale entries: epoll_ctl cannot remove an entry whose
    /// descriptor is closed. The old descriptor is closed first, so that the user's watches are not counted twice; the
    /// set is level-triggered, so no event is lost. Returns the watches that the kernel refused, which are no longer in
    /// the set. Throws if there is no new descriptor; then nothing has changed.
    func renew() throws(UVError) -> [(Poll, UVError)] {
        let renewed = try makeDescriptor()
        _ = Glibc.close(fd)
        fd = renewed
        var refused: [(Poll, UVError)] = []
        for case .some(let watch) in watches {
            let poll = watch.takeUnretainedValue()
            let result = change(
                renewed, EPOLL_CTL_ADD, poll.fd, (poll.interest ?? .edge).rawValue,
                poll.interest == nil ? Self.quietKey : poll.key)
            if result != 0 { refused.append((poll, UVError(code: result))) }
        }
        for (poll, _) in refused { remove(poll, fromKernel: false) }
        return refused
    }
}
