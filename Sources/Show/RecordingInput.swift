import Sockets
import Terminal

/// The bytes of a recording as they come: a file, a file that grows, or a pipe. One thread at a time.
package struct RecordingInput: ~Copyable {
    /// What comes next.
    enum Next {
        case bytes([UInt8])
        /// The end, and why it is one if that is not plain.
        case end(String?)
    }

    /// As much as is read in one call.
    private static let chunk = 256 * 1024
    /// How long the end of a file that is followed is left alone before it is looked at again, in milliseconds.
    private static let pause: Int32 = 200

    /// What to call it.
    let name: String
    private let input: InputFile
    private let path: String?
    private let isFollowed: Bool
    /// Only where bytes are waited for: reading a plain file ends by the signal itself.
    private let interruption: Interruption?
    private var taken: UInt64 = 0
    /// Set once the name stands for another file: what is left is read, then that is the end.
    private var farewell: String?
    private var isAskedToEnd = false

    /// Opens the file, or takes standard input for `-`.
    package init(path: String, follow: Bool) throws {
        // Everything is made before anything is kept: a value that owns something is made in one go.
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

    /// Whether what comes next may be long in coming, so that what is known should be shown now.
    var isLive: Bool { interruption != nil }

    /// The next bytes, waited for where there may be some.
    mutating func next() throws -> Next {
        while true {
            if let path, isFollowed, let change = change(of: path) { farewell = change }
            if !isFollowed, interruption != nil, !waitForPipe() { return .end(nil) }
            let bytes = try read()
            if !bytes.isEmpty {
                taken += UInt64(bytes.count)
                return .bytes(bytes)
            }
            guard isFollowed, farewell == nil else { return .end(farewell) }
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

    /// What has become of the file that is followed; nil while it is the one that has the name.
    private func change(of path: String) -> String? {
        guard let own = input.identity else { return nil }
        if own.size < taken { return "\(path) was emptied, so this is its end" }
        guard let current = InputFile.identity(of: path) else { return "\(path) was removed or renamed" }
        return current.isSameFile(as: own) ? nil : "\(path) is another file now: this one was rotated away"
    }

    private func interrupted(within milliseconds: Int32) throws -> Bool {
        switch interruption {
        case .some(let interruption): interruption.wait(milliseconds: milliseconds) && interruption.take()
        case .none: false
        }
    }

    /// Waits until the pipe has something to say. The first Ctrl-C reaches its writer too, whose last words are worth
    /// reading; the second one ends the waiting. False then.
    private mutating func waitForPipe() -> Bool {
        while true {
            switch interruption {
            case .some(let interruption):
                if input.waitForInput(or: interruption) { return true }
                guard interruption.take() else { continue }
            case .none: return true
            }
            if isAskedToEnd { return false }
            isAskedToEnd = true
            writeToStandardError("tapline: reading on to the end of \(name); Ctrl-C again to stop now\n")
        }
    }
}
