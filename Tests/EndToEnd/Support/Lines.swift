import Glibc
import Synchronization

/// All lines that a program writes, as they come. Any thread.
final class Lines: Sendable {
    typealias Predicate = @Sendable (String) -> Bool

    private struct Search {
        let wanted: Int
        let matches: Predicate
        var found: [String] = []
        let promise = Promise<[String]>()
    }

    private struct State {
        var lines: [String] = []
        var unfinished: [UInt8] = []
        var isOver = false
        var searches: [Search] = []
    }

    private let state = Mutex(State())

    /// Every complete line so far.
    var all: [String] { state.withLock(\.lines) }

    /// Adds bytes that were read.
    func append(_ bytes: [UInt8]) {
        state.withLock { state in
            // memchr(3), because a debug build iterates over an array slowly.
            bytes.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                    let newline = memchr(start, 0x0A, rest.count)
                {
                    let length = UnsafeRawPointer(newline) - start
                    state.unfinished += rest.prefix(length)
                    add(String(decoding: state.unfinished, as: UTF8.self), to: &state)
                    state.unfinished = []
                    rest = rest.dropFirst(length + 1)
                }
                state.unfinished += rest
            }
        }
    }

    /// The output has ended.
    func end() {
        state.withLock { state in
            if !state.unfinished.isEmpty { add(String(decoding: state.unfinished, as: UTF8.self), to: &state) }
            state.unfinished = []
            state.isOver = true
            for search in state.searches {
                search.promise.settle(.failure(Self.missing(search.wanted, state, "ended")))
            }
            state.searches = []
        }
    }

    private func add(_ line: String, to state: inout State) {
        state.lines.append(line)
        for index in state.searches.indices where state.searches[index].matches(line) {
            state.searches[index].found.append(line)
        }
        state.searches.removeAll { search in
            guard search.found.count >= search.wanted else { return false }
            search.promise.settle(.success(search.found))
            return true
        }
    }

    /// The first `count` lines that match, including earlier ones; waits for them.
    func first(
        _ count: Int = 1, within limit: Duration = .seconds(60), where matches: @escaping Predicate
    ) async throws -> [String] {
        let promise = state.withLock { state in
            var search = Search(wanted: count, matches: matches)
            search.found = Array(state.lines.filter(matches).prefix(count))
            if search.found.count >= count {
                search.promise.settle(.success(search.found))
            } else if state.isOver {
                search.promise.settle(.failure(Self.missing(count, state, "ended")))
            } else {
                state.searches.append(search)
            }
            return search.promise
        }
        return try await promise.value(within: limit) { [self] in
            state.withLock { Self.missing(count, $0, "has said nothing more within \(limit)") }
        }
    }

    /// The first line that contains the text; waits for it.
    @discardableResult
    func line(containing text: String, within limit: Duration = .seconds(60)) async throws -> String {
        try await first(within: limit) { $0.contains(text) }[0]
    }

    private static func missing(_ count: Int, _ state: State, _ event: String) -> Failure {
        let tail = state.lines.suffix(12).joined(separator: "\n")
        return Failure("\(count) matching lines wanted, but the output \(event). It had \(state.lines.count):\n\(tail)")
    }
}
