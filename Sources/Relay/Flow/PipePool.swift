internal import Sockets
internal import Synchronization

/// The memory that all pipes of the process may hold, and the budget for their descriptors. Shared by all workers.
final class PipeAllowance: Sendable {
    /// The kernel grants an ordinary user 64 MiB of pipes (pipe(7), `pipe-user-pages-soft`); the rest is for others.
    static let most = 48 << 20
    /// The size of pipes while few flows splice.
    static let large = 1 << 20
    /// The size of pipes, the kernel's default, once half of the allowance is spent.
    static let small = 64 << 10

    private let spent = Atomic<Int>(0)
    private let descriptors: Budget

    init(descriptors: Budget) {
        self.descriptors = descriptors
    }

    /// Opens a pipe; nil if memory, descriptors or the kernel's limit are spent: the flow then continues to copy.
    func open() -> Pipe? {
        let now = spent.load(ordering: .relaxed)
        let size = now + Self.large <= Self.most / 2 ? Self.large : Self.small
        guard now + size <= Self.most, descriptors.takeIfAvailable(2) else { return nil }
        guard let pipe = try? Pipe(asking: size) else {
            descriptors.give(2)
            return nil
        }
        guard pipe.capacity >= Self.small else {
            // Beyond the kernel's limit an ordinary user gets 8 KiB, which costs more than a copy.
            descriptors.give(2)
            return nil
        }
        spent.add(pipe.capacity, ordering: .relaxed)
        return pipe
    }

    /// Returns the memory and descriptors of a pipe that its owner is about to release, which closes it.
    func close(_ pipe: Pipe) {
        spent.subtract(pipe.capacity, ordering: .relaxed)
        descriptors.give(2)
    }
}

/// The empty pipes of one worker. Its loop's thread only.
final class PipePool {
    /// The most empty pipes kept for reuse.
    private static let mostKept = 16

    private let allowance: PipeAllowance
    private var empty: [Pipe] = []

    init(allowance: PipeAllowance) {
        self.allowance = allowance
        empty.reserveCapacity(Self.mostKept)
    }

    /// An empty pipe; nil if none can be opened.
    func take() -> Pipe? {
        empty.popLast() ?? allowance.open()
    }

    /// Gives a pipe back. Only an empty one can be reused.
    func give(_ pipe: Pipe, isEmpty: Bool) {
        if isEmpty, empty.count < Self.mostKept {
            empty.append(pipe)
        } else {
            allowance.close(pipe)
        }
    }

    /// Closes all kept pipes, so that their descriptors can serve connections. Returns whether there were any.
    @discardableResult
    func closeAll() -> Bool {
        defer { empty.removeAll(keepingCapacity: true) }
        for pipe in empty { allowance.close(pipe) }
        return !empty.isEmpty
    }
}
