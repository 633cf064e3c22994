/// Why a command failed: its exit status and the message.
package struct CommandFailure: Error, Hashable, Sendable {
    /// The exit status.
    package let status: ExitStatus
    /// The lines for standard error, without the last newline; empty when everything has been reported.
    package let message: String

    /// A failure.
    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
