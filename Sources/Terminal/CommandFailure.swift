/// Why a command failed, for a person.
package struct CommandFailure: Error, Hashable, Sendable {
    /// What the process ends with.
    package let status: ExitStatus
    /// The lines to write to standard error, without the last newline; empty when all is said already.
    package let message: String

    /// A failure.
    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
