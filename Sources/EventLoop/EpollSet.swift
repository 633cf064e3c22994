internal import CLinux
internal import Glibc

/// An epoll descriptor and room for what it tells (epoll(7)), level-triggered. Owned by its loop, on the loop's thread.
final class EpollSet {
    /// What to do to a descriptor's entry.
    enum Change {
        case add, modify, remove

        var operation: CInt {
            switch self {
            case .add: EPOLL_CTL_ADD
            case .modify: EPOLL_CTL_MOD
            case .remove: EPOLL_CTL_DEL
            }
        }
    }

    /// More at once would keep timers and mailboxes waiting.
    /// How many events one wait tells of at most.
    static let mostAtOnce = 256

    private let fd: CInt
    private let told = UnsafeMutablePointer<epoll_event>.allocate(capacity: mostAtOnce)

    init() throws(UVError) {
        fd = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard fd >= 0 else { throw UVError(code: -errno) }
    }

    deinit {
        if fd >= 0 { _ = Glibc.close(fd) }
        told.deallocate()
    }

    /// Changes what a descriptor is watched for. The set keeps no reference to the watch. Returns 0, or an error number
    /// below zero.
    func change(_ change: Change, _ descriptor: CInt, _ events: Poll.Events, for poll: Poll?) -> CInt {
        var entry = epoll_event()
        entry.events = events.rawValue
        entry.data.ptr = poll.map { Unmanaged.passUnretained($0).toOpaque() }
        return epoll_ctl(fd, change.operation, descriptor, &entry) == 0 ? 0 : -errno
    }

    /// Waits for so many milliseconds (-1: without end). Returns how many events there are for `tell`, and whether one
    /// of them is of the entry without a watch, libuv's.
    @inline(__always)
    func wait(_ milliseconds: CInt) -> (count: Int, isForUV: Bool) {
        // EINTR is an early end of the wait and nothing else.
        let count = max(0, Int(epoll_wait(fd, told, CInt(Self.mostAtOnce), milliseconds)))
        for position in 0..<count where told[position].data.ptr == nil { return (count, true) }
        return (count, false)
    }

    /// Tells every watch what was true of its descriptor in the last wait. Watches that were closed since must still be
    /// in memory.
    @inline(__always)
    func tell(_ count: Int) {
        for position in 0..<count {
            guard let pointer = told[position].data.ptr else { continue }
            Unmanaged<Poll>.fromOpaque(pointer)._withUnsafeGuaranteedRef { poll in
                if !poll.isClosed { poll.ready(Poll.Events(rawValue: told[position].events)) }
            }
        }
    }
}
