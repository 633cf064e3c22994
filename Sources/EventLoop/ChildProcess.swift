internal import CLinux
internal import Glibc
internal import Sockets

/// A program that this process starts beside itself, and whose end it hears of.
///
/// Made, used and closed on the loop's thread. It gets standard input, output and error, the descriptors that it is given,
/// and no others; signals that are ignored stay so, others do what they do by default.
/// Closing stops the watch and leaves the program running.
public final class ChildProcess {
    /// How a program ended.
    public enum Ending: Hashable, Sendable, CustomStringConvertible {
        /// By itself, with this status.
        case exited(Int32)
        /// By this signal.
        case killed(Int32)
        /// The system no longer has its status.
        case unknown

        /// In words that follow "it".
        public var description: String {
            switch self {
            case .exited(let status): "ended with status \(status)"
            case .killed(let signal): "was killed by signal \(signal)"
            case .unknown: "ended, with a status that the system did not keep"
            }
        }
    }

    /// The process.
    public let id: Int32
    private var watch: SignalWatch?
    private var ended: ((Ending) -> Void)?

    /// Starts a program. `descriptors` are those that it gets from number 3 on, in this order; none of them may be
    /// numbered so low that another's place is its own. `ended` is called once, unless `close` is first.
    public init(
        loop: EventLoop, path: String, arguments: [String], environment: [String: String], descriptors: [Int32],
        ended: @escaping (Ending) -> Void
    ) throws {
        guard descriptors.allSatisfy({ $0 >= 3 + descriptors.count }) else {
            // posix_spawn would overwrite one of them with another before it is copied.
            throw SystemError("start \(path)", Errno(EBADF))
        }
        self.ended = ended
        // The watch first: a program may end before posix_spawn returns.
        var reap: (() -> Void)?
        let watch = try SignalWatch(loop: loop, signal: SIGCHLD) { reap?() }
        do throws(Errno) {
            id = try Self.spawn(path, arguments, environment, descriptors)
        } catch {
            watch.close()
            throw SystemError("start \(path)", error)
        }
        self.watch = watch
        reap = { [unowned self] in lookForEnd() }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ descriptors: [Int32]
    ) throws(Errno) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var result = posix_spawn_file_actions_init(&actions)
        guard result == 0 else { throw Errno(result) }
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (place, descriptor) in descriptors.enumerated() where result == 0 {
            result = posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(3 + place))
        }
        // Libraries open some that are not closed on exec, and a client of ours would wait for an end that does not come
        // as long as the program runs.
        if result == 0 {
            result = tapline_add_close_from(&actions, CInt(3 + descriptors.count))
        }
        guard result == 0 else { throw Errno(result) }
        var id: pid_t = 0
        let words = CStrings(arguments)
        let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
        defer {
            words.free()
            variables.free()
        }
        result = posix_spawn(&id, path, &actions, nil, words.pointer, variables.pointer)
        guard result == 0 else { throw Errno(result) }
        return id
    }

    /// A signal that one program has ended may stand for several, and for others.
    private func lookForEnd() {
        guard let ended else { return }
        var status: CInt = 0
        let reaped = waitpid(id, &status, WNOHANG)
        guard reaped != 0 else { return }
        close()
        // ECHILD: its status is gone, e.g. because this process inherited an ignored SIGCHLD (wait(2)).
        guard reaped == id else { return ended(.unknown) }
        // wait(2): the low seven bits are the signal, or 0 and the next eight are the status.
        let signal = status & 0x7f
        ended(signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal))
    }

    /// Sends it a signal.
    public func send(_ signal: Int32) {
        // Once its end was told, the number may be another's.
        guard ended != nil else { return }
        _ = kill(id, signal)
    }

    /// Watches it no more.
    public func close() {
        ended = nil
        watch?.close()
        watch = nil
    }
}

/// Strings as exec(3) wants them: pointers to each, and a null pointer behind. The owner frees them.
private struct CStrings {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointer = .allocate(capacity: count + 1)
        for (place, string) in strings.enumerated() { (pointer + place).initialize(to: strdup(string)) }
        (pointer + count).initialize(to: nil)
    }

    func free() {
        for place in 0..<count { Glibc.free(pointer[place]) }
        pointer.deallocate()
    }
}
