internal import Synchronization

/// Distributes events to the clients that follow them, each at its own pace. Events that a client does not read in time are
/// left out of its stream, and counted there.
///
/// Thread-safe; used on the admin server's thread.
final class EventHub: Sendable {
    /// One event, rendered once for all clients.
    struct Item: Sendable {
        /// The followers that receive it.
        enum Audience: Hashable, Sendable {
            /// All; those of this relay or of all relays; those of exactly this relay, or of all relays (nil).
            case all
            case relay(String)
            case followers(of: String?)
        }

        /// The followers that receive it.
        var audience: Audience
        /// The lines of the event, including the empty one at the end.
        var text: [UInt8]

        func isFor(followerOf relay: String?) -> Bool {
            switch audience {
            case .all: true
            case .relay(let name): relay == nil || relay == name
            case .followers(let subject): relay == subject
            }
        }
    }

    /// The largest number of bytes that are held for one slow client.
    static let mostWaiting = 1 << 20

    private struct Follower {
        let relay: String?
        var waiting: [UInt8] = []
        var lost = 0
        /// The stream ends after the waiting bytes.
        var isEnding = false
        var reader: CheckedContinuation<[UInt8]?, Never>?
    }

    private struct State {
        var followers: [Int: Follower] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// Adds a follower of one relay, or of all (nil).
    func follow(relay: String?) -> Int {
        state.withLock { state in
            state.next += 1
            state.followers[state.next] = Follower(relay: relay)
            return state.next
        }
    }

    /// Removes a follower.
    func leave(_ id: Int) {
        let reader = state.withLock { $0.followers.removeValue(forKey: id)?.reader }
        reader?.resume(returning: nil)
    }

    /// The next bytes for a follower, as soon as there are any; nil at the end of the stream or when the task is cancelled.
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
                let bytes = Self.drain(&follower)
                state.followers[id] = follower
                return (true, bytes)
            }
            if answer.isThere { reader.resume(returning: answer.bytes) }
        }
    }

    /// Passes events to one follower, or to all that they are for.
    func publish(_ items: [Item], lost: Int = 0, to only: Int? = nil) {
        let ready = state.withLock { state -> [(CheckedContinuation<[UInt8]?, Never>, [UInt8])] in
            var ready: [(CheckedContinuation<[UInt8]?, Never>, [UInt8])] = []
            for id in only.map({ [$0] }) ?? Array(state.followers.keys) {
                guard var follower = state.followers[id] else { continue }
                for item in items where item.isFor(followerOf: follower.relay) {
                    if follower.waiting.count + item.text.count <= Self.mostWaiting {
                        follower.waiting += item.text
                    } else {
                        follower.lost += 1
                    }
                }
                follower.lost += lost
                if let reader = follower.reader, !follower.waiting.isEmpty || follower.lost > 0 {
                    follower.reader = nil
                    ready.append((reader, Self.drain(&follower)))
                }
                state.followers[id] = follower
            }
            return ready
        }
        for (reader, bytes) in ready { reader.resume(returning: bytes) }
    }

    /// Whether there are followers.
    var isFollowed: Bool { state.withLock { !$0.followers.isEmpty } }

    /// The followed relays; nil stands for followers of all relays.
    var subjects: Set<String?> { state.withLock { Set($0.followers.values.map(\.relay)) } }

    /// Ends every stream after its waiting bytes.
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

    private static func drain(_ follower: inout Follower) -> [UInt8] {
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
