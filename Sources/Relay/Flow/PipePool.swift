internal import Sockets
internal import Synchronization

/// How much memory all pipes of the process may hold, and their descriptors' budget. Shared by all workers.
final class PipeAllowance: Sendable {
    /// The kernel grants an ordinary user 64 MiB of pipes (pipe(7), `pipe-user-pages-soft`); the rest is for others.
    static let most = 48 << 20
    /// Pipes are this large while few flows splice.
    static let large = 1 << 20
    /// And this large, the kernel's default, once half of the allowance is spent.
    static let small = 64 << 10

    private let spent = Atomic<Int>(0)
    private let descriptors: Budget

    init(descriptors: Budget) {
        self.descriptors = descriptors
    }

    /// Opens a pipe; nil when memory, descriptors or the kernel's patience are spent: the flow then stays on copy.
    func open() -> Pipe? {
        let now = spent.load(ordering: .relaxed)
        let size = now + Self.large <= Self.most / 2 ? Self.large : Self.small
        guard now + size <= Self.most, descriptors.takeIfAvailable(2) else { return nil }
        guard let pipe = try? Pipe(asking: size) else {
            descriptors.give(2)
            return nil
        }
        guard pipe.capacity >= Self.small else {
            // An ordinary user past the kernel's bound gets 8 KiB, which cost more than a copy.
            descriptors.give(2)
            return nil
        }
        spent.add(pipe.capacity, ordering: .relaxed)
        return pipe
    }

    /// Accounts for a pipe that its owner is letting go of, and that closes with that.
    func close(_ pipe: Pipe) {
        spent.subtract(pipe.capacity, ordering: .relaxed)
        descriptors.give(2)
    }
}

/// The empty pipes of one worker. Its loop's thread only.
final class PipePool {
    /// More than this many are not kept waiting.
    private static let mostKept = 16

    private let allowance: PipeAllowance
    private var empty: [Pipe] = []

    init(allowance: PipeAllowance) {
        self.allowance = allowance
        empty.reserveCapacity(Self.mostKept)
    }

    /// A pipe with nothing in it; nil when there is none to be had.
    func take() -> Pipe? {
        empty.popLast() ?? allowance.open()
    }

    /// Takes a pipe back. Only an empty one can be used again.
    func give(_ pipe: Pipe, isEmpty: Bool) {
        if isEmpty, empty.count < Self.mostKept {
            empty.append(pipe)
        } else {
            allowance.close(pipe)
        }
    }

    /// Closes what waits, so that its descriptors can serve connections. Returns whether there was any.
    @discardableResult
    func closeAll() -> Bool {
        defer { empty.removeAll(keepingCapacity: true) }
        for pipe in empty { allowance.close(pipe) }
        return !empty.isEmpty
    }
}
