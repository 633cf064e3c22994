/// The meaning of the process's exit status (sysexits.h).
package enum ExitStatus: CInt, Sendable {
    /// Success.
    case success = 0
    /// Any other failure.
    case failure = 1
    /// Wrong command line; argument-parser exits with the same number.
    case usage = 64
    /// Operating-system error.
    case system = 71
    /// Wrong configuration.
    case configuration = 78
}
