internal import Synchronization

/// Gives what happens to every client that follows it, each at its own pace. What a client does not take in time is
/// left out of its stream, and counted there.
///
/// Any thread; in fact the admin server's.
final class EventHub: Sendable {
    /// One event on its way out, rendered once for all.
    struct Item: Sendable {
        /// Whom it concerns.
        enum Audience: Hashable, Sendable {
            /// Everybody; whoever follows this relay or all; only who follows exactly this: one relay, or all (nil).
            case everybody
            case relay(String)
            case followers(of: String?)
        }

        /// Whom it concerns.
        var audience: Audience
        /// The lines of the event, the empty one at the end included.
        var text: [UInt8]

        func concerns(followerOf relay: String?) -> Bool {
            switch audience {
            case .everybody: true
            case .relay(let name): relay == nil || relay == name
            case .followers(let subject): relay == subject
            }
        }
    }

    /// How much waits for one slow client.
    static let mostWaiting = 1 << 20

    private struct Follower {
        let relay: String?
        var waiting: [UInt8] = []
        var lost = 0
        /// Nothing comes after what waits.
        var isEnding = false
        var reader: CheckedContinuation<[UInt8]?, Never>?
    }

    private struct State {
        var followers: [Int: Follower] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// Begins to follow: everything, or one relay.
    func follow(relay: String?) -> Int {
        state.withLock { state in
            state.next += 1
            state.followers[state.next] = Follower(relay: relay)
            return state.next
        }
    }

    /// Follows no more.
    func leave(_ id: Int) {
        let reader = state.withLock { $0.followers.removeValue(forKey: id)?.reader }
        reader?.resume(returning: nil)
    }

    /// What is next for a follower, as soon as there is something; nil when it is over, also because the task that asks
    /// is cancelled.
    func next(_ id: Int) async -> [UInt8]? {
        await withTaskCancellationHandler {
            await waitForNext(id)
        } onCancel: {
            leave(id)
        }
    }

    private func waitForNext(_ id: Int) async -> [UInt8]? {
        await withCheckedContinuation { reader in
            let answer = state.withLock { state -> (isThere: Bool, bytes: [UInt8]?) in
                guard var follower = state.followers[id] else { return (true, nil) }
                if follower.waiting.isEmpty && follower.lost == 0 {
                    guard !follower.isEnding else { return (true, nil) }
                    follower.reader = reader
                    state.followers[id] = follower
                    return (false, nil)
                }
                let bytes = Self.take(&follower)
                state.followers[id] = follower
                return (true, bytes)
            }
            if answer.isThere { reader.resume(returning: answer.bytes) }
        }
    }

    /// Hands events to one follower, or to all whom they concern.
    func publish(_ items: [Item], lost: Int = 0, to only: Int? = nil) {
        let ready = state.withLock { state -> [(CheckedContinuation<[UInt8]?, Never>, [UInt8])] in
            var ready: [(CheckedContinuation<[UInt8]?, Never>, [UInt8])] = []
            for id in only.map({ [$0] }) ?? Array(state.followers.keys) {
                guard var follower = state.followers[id] else { continue }
                for item in items where item.concerns(followerOf: follower.relay) {
                    if follower.waiting.count + item.text.count <= Self.mostWaiting {
                        follower.waiting += item.text
                    } else {
                        follower.lost += 1
                    }
                }
                follower.lost += lost
                if let reader = follower.reader, !follower.waiting.isEmpty || follower.lost > 0 {
                    follower.reader = nil
                    ready.append((reader, Self.take(&follower)))
                }
                state.followers[id] = follower
            }
            return ready
        }
        for (reader, bytes) in ready { reader.resume(returning: bytes) }
    }

    /// Whether somebody follows.
    var isFollowed: Bool { state.withLock { !$0.followers.isEmpty } }

    /// Whom everybody follows: each relay that somebody follows alone, and nil where somebody follows all.
    var subjects: Set<String?> { state.withLock { Set($0.followers.values.map(\.relay)) } }

    /// Ends every stream there is, each after what waits for it.
    func endAll() {
        let readers = state.withLock { state in
            var readers: [CheckedContinuation<[UInt8]?, Never>] = []
            for id in state.followers.keys {
                state.followers[id]?.isEnding = true
                if let reader = state.followers[id]?.reader { readers.append(reader) }
                state.followers[id]?.reader = nil
            }
            return readers
        }
        for reader in readers { reader.resume(returning: nil) }
    }

    private static func take(_ follower: inout Follower) -> [UInt8] {
        var bytes = follower.waiting
        follower.waiting = []
        if follower.lost > 0 {
            bytes += Self.event("lost", Array("{\"events\":\(follower.lost)}".utf8))
            follower.lost = 0
        }
        return bytes
    }

    /// One server-sent event (WHATWG HTML, section 9.2); the data is one line.
    static func event(_ name: String, _ data: [UInt8]) -> [UInt8] {
        Array("event: \(name)\ndata: ".utf8) + data + [UInt8(ascii: "\n"), UInt8(ascii: "\n")]
    }
}
