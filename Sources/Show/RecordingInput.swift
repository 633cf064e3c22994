import Sockets
import Terminal

/// The bytes of a recording: of a file, a growing file, or a pipe. One thread at a time.
package struct RecordingInput: ~Copyable {
    /// The next piece of the input.
    enum Next {
        case bytes([UInt8])
        /// The end, with its cause where it is not plain.
        case end(String?)
    }

    /// Bytes per read.
    private static let chunk = 256 * 1024
    /// The pause at the end of a followed file before the next read, in milliseconds.
    private static let pause: Int32 = 200

    /// The name in messages.
    let name: String
    private let input: InputFile
    private let path: String?
    private let isFollowed: Bool
    /// Nil for a plain file that is not followed: its reads do not wait, and the signal ends the process.
    private let interruption: Interruption?
    private var taken: UInt64 = 0
    /// Set once the path leads to another file: the rest of this one is read, then the input ends with this cause.
    private var endCause: String?
    private var isAskedToEnd = false

    /// Opens the file; `-` is standard input.
    package init(path: String, follow: Bool) throws {
        // A noncopyable value is initialised completely or not at all, so everything that can fail comes first.
        let source = try Self.open(path)
        let isRegular = source.identity?.isRegular ?? false
        let interruption = isRegular && !follow ? nil : try Interruption()
        self.interruption = interruption
        input = source
        name = source.name
        self.path = path == "-" ? nil : path
        isFollowed = follow && isRegular
    }

    private static func open(_ path: String) throws(CommandFailure) -> InputFile {
        if path == "-" { return .standardInput }
        do {
            return try InputFile(path: path)
        } catch {
            throw CommandFailure(.failure, "tapline: \(error)")
        }
    }

    /// Whether `next` may wait, so that pending output should be written first.
    var isLive: Bool { interruption != nil }

    /// The next bytes; waits where more may come.
    mutating func next() throws -> Next {
        while true {
            if let path, isFollowed, let change = change(of: path) { endCause = change }
            if !isFollowed, interruption != nil, !waitForPipe() { return .end(nil) }
            let bytes = try read()
            if !bytes.isEmpty {
                taken += UInt64(bytes.count)
                return .bytes(bytes)
            }
            guard isFollowed, endCause == nil else { return .end(endCause) }
            if try interrupted(within: Self.pause) { return .end(nil) }
        }
    }

    private func read() throws -> [UInt8] {
        do {
            return try input.read(atMost: Self.chunk)
        } catch {
            throw CommandFailure(.failure, "tapline: cannot read \(name): \(error) (\(error.name))")
        }
    }

    /// What happened to the followed file; nil while the path still leads to it.
    private func change(of path: String) -> String? {
        guard let own = input.identity else { return nil }
        if own.size < taken { return "\(path) was truncated; stopping here" }
        guard let current = InputFile.identity(of: path) else { return "\(path) was removed or renamed" }
        return current.isSameFile(as: own) ? nil : "\(path) is now another file: this one was rotated away"
    }

    private func interrupted(within milliseconds: Int32) throws -> Bool {
        switch interruption {
        case .some(let interruption): interruption.wait(milliseconds: milliseconds) && interruption.consumeSignal()
        case .none: false
        }
    }

    /// Waits until the pipe is readable. The first Ctrl-C reaches the pipe's writer too, whose last bytes are worth
    /// reading; the second ends the wait and returns false.
    private mutating func waitForPipe() -> Bool {
        while true {
            switch interruption {
            case .some(let interruption):
                if input.waitForInput(or: interruption) { return true }
                guard interruption.consumeSignal() else { continue }
            case .none: return true
            }
            if isAskedToEnd { return false }
            isAskedToEnd = true
            writeToStandardError("tapline: reading to the end of \(name); press Ctrl-C again to stop now\n")
        }
    }
}
