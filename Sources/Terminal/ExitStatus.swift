/// What the process's exit status means (sysexits.h).
package enum ExitStatus: CInt, Sendable {
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
