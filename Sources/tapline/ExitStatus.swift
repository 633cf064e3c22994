import ArgumentParser
import Configuration
import EventLoop
import Glibc
import Relay
import Sockets

/// What the process's exit status means (sysexits.h).
enum ExitStatus: CInt, Sendable {
    /// All went well.
    case success = 0
    /// Something else went wrong.
    case failure = 1
    /// The command line is wrong; argument-parser ends with the same number.
    case usage = 64
    /// The system said no.
    case system = 71
    /// The configuration is wrong.
    case configuration = 78
}

/// Why a command failed, for a person.
struct CommandFailure: Error, Hashable, Sendable {
    /// What the process ends with.
    let status: ExitStatus
    /// The lines to write to standard error, without the last newline; empty when all is said already.
    let message: String

    /// A failure.
    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    /// What an error means for the process; nil for those of argument-parser, which it explains itself.
    init?(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        // Each line starts with path:line:column, as editors expect it.
        case let unwanted as UnwantedSockets:
            let lines = unwanted.description.split(separator: "\n").map { "tapline: \($0)" }
            self.init(.configuration, lines.joined(separator: "\n"))
        case let errors as ConfigurationErrors: self.init(.configuration, errors.description)
        case let error as SystemError: self.init(.system, "tapline: \(error)")
        case let error as Errno: self.init(.system, "tapline: \(error) (\(error.name))")
        case let error as UVError: self.init(.system, "tapline: \(error) (\(error.name))")
        default: return nil
        }
    }
}

/// Writes text to standard error at once, before or after there is a thread for that.
func writeToStandardError(_ text: String) {
    var offset = 0
    // Nobody is left to be told that standard error takes nothing.
    try? OutputFile.standardError.write(Array(text.utf8), from: &offset)
}

/// Writes text to standard output at once, for commands that only say something.
func writeToStandardOutput(_ text: String) throws(SystemError) {
    var offset = 0
    do {
        try OutputFile.standardOutput.write(Array(text.utf8), from: &offset)
    } catch {
        throw SystemError("write to standard output", error)
    }
}
