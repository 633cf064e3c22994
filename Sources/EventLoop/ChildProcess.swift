internal import CLinux
internal import Glibc
internal import Sockets

/// A program that this process starts, with a callback when it exits.
///
/// Created, used and closed on the loop's thread. The program inherits standard input, output and error, as far as
/// `Streams` does not say otherwise, and the given descriptors, and no others. Ignored signals stay ignored, except in a
/// group of its own; others have their default action.
/// Closing stops the watch and leaves the program running.
public final class ChildProcess {
    /// How a program ended.
    public enum Ending: Hashable, Sendable, CustomStringConvertible {
        /// It exited with this status.
        case exited(Int32)
        /// This signal terminated it.
        case killed(Int32)
        /// The system did not keep its status.
        case unknown

        /// A phrase that follows "it".
        public var description: String {
            switch self {
            case .exited(let status): "exited with status \(status)"
            case .killed(let signal): "was killed by signal \(signal)"
            case .unknown: "exited with an unknown status"
            }
        }
    }

    /// The standard streams of a program.
    public struct Streams: Hashable, Sendable {
        /// Where one of them leads.
        public enum Target: Hashable, Sendable {
            /// To where this process's own leads.
            case inherited
            /// To /dev/null.
            case null
            /// To where a descriptor of this process leads.
            case descriptor(Int32)
        }

        var targets: [Target]

        /// By default, those of this process.
        public init(input: Target = .inherited, output: Target = .inherited, error: Target = .inherited) {
            targets = [input, output, error]
        }
    }

    /// The process ID.
    public let id: Int32
    private var watch: SignalWatch?
    private var ended: ((Ending) -> Void)?

    /// Starts a program. `descriptors` become its descriptors 3, 4 and so on; each must be numbered above the last of
    /// those. `ownsGroup`: the program leads a new process group, which a terminal's signals do not reach, and no signal is
    /// ignored or blocked in it. `ended` is called once, unless `close` is called first.
    public init(
        loop: EventLoop, path: String, arguments: [String], environment: [String: String], descriptors: [Int32],
        streams: Streams = Streams(), ownsGroup: Bool = false,
        ended: @escaping (Ending) -> Void
    ) throws {
        guard descriptors.allSatisfy({ $0 >= 3 + descriptors.count }) else {
            // posix_spawn would overwrite a lower-numbered descriptor before copying it.
            throw SystemError("start \(path)", Errno(EBADF))
        }
        self.ended = ended
        // The watch comes first: the program may exit before posix_spawn returns.
        var reap: (() -> Void)?
        let watch = try SignalWatch(loop: loop, signal: SIGCHLD) { reap?() }
        do throws(Errno) {
            id = try Self.spawn(path, arguments, environment, descriptors, streams, ownsGroup)
        } catch {
            watch.close()
            throw SystemError("start \(path)", error)
        }
        self.watch = watch
        reap = { [unowned self] in checkForExit() }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ descriptors: [Int32],
        _ streams: Streams, _ ownsGroup: Bool
    ) throws(Errno) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var result = posix_spawn_file_actions_init(&actions)
        guard result == 0 else { throw Errno(result) }
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, target) in streams.targets.enumerated() where result == 0 {
            switch target {
            case .inherited: break
            case .null: result = posix_spawn_file_actions_addopen(&actions, CInt(number), "/dev/null", O_RDWR, 0)
            case .descriptor(let fd): result = posix_spawn_file_actions_adddup2(&actions, fd, CInt(number))
            }
        }
        for (index, descriptor) in descriptors.enumerated() where result == 0 {
            result = posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(3 + index))
        }
        // Libraries open descriptors without close-on-exec. If the program inherited a client's socket, the client
        // would not see the end of the stream while the program runs.
        if result == 0 {
            result = tapline_add_close_from(&actions, CInt(3 + descriptors.count))
        }
        guard result == 0 else { throw Errno(result) }
        var attributes = posix_spawnattr_t()
        result = posix_spawnattr_init(&attributes)
        guard result == 0 else { throw Errno(result) }
        defer { posix_spawnattr_destroy(&attributes) }
        if ownsGroup { lead(&attributes) }
        var id: pid_t = 0
        let words = CStrings(arguments)
        let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
        defer {
            words.free()
            variables.free()
        }
        result = posix_spawn(&id, path, &actions, &attributes, words.pointer, variables.pointer)
        guard result == 0 else { throw Errno(result) }
        return id
    }

    /// A new group, and the signals of a program that a shell starts. These calls fail only for flags that do not exist.
    private static func lead(_ attributes: inout posix_spawnattr_t) {
        var (all, none) = (sigset_t(), sigset_t())
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    }

    /// One SIGCHLD may stand for several exited programs, not necessarily this one.
    private func checkForExit() {
        guard let ended else { return }
        var status: CInt = 0
        let reaped = waitpid(id, &status, WNOHANG)
        guard reaped != 0 else { return }
        close()
        // ECHILD: the status was discarded, e.g. because this process inherited an ignored SIGCHLD (wait(2)).
        guard reaped == id else { return ended(.unknown) }
        // wait(2): the low seven bits are the signal, or 0 and the next eight are the status.
        let signal = status & 0x7f
        ended(signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal))
    }

    /// Sends a signal to the program.
    public func send(_ signal: Int32) {
        // After the exit was reported, the process ID may belong to another process.
        guard ended != nil else { return }
        _ = kill(id, signal)
    }

    /// Stops watching the program.
    public func close() {
        ended = nil
        watch?.close()
        watch = nil
    }
}

/// A null-terminated array of C strings, as exec(3) requires. The owner frees it.
private struct CStrings {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
        (pointer + count).initialize(to: nil)
    }

    func free() {
        for index in 0..<count { Glibc.free(pointer[index]) }
        pointer.deallocate()
    }
}
