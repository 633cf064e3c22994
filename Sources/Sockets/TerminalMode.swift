internal import Glibc

/// The mode of standard input's terminal: the original one, or raw.
///
/// The owner restores the mode before the process exits; one thread at a time.
public struct TerminalMode: Sendable {
    private let original: termios

    /// Saves the terminal's current mode; nil if standard input is not a terminal.
    public init?() {
        var mode = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &mode) == 0 else { return nil }
        original = mode
    }

    /// Delivers every key as it is typed, including Ctrl-C and Ctrl-Z, without echo (termios(3), `cfmakeraw`).
    public func enterRaw() throws(Errno) {
        var mode = original
        cfmakeraw(&mode)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode) == 0 else { throw .current }
    }

    /// Restores the saved mode; unread keys are dropped.
    public func restore() {
        var mode = original
        // If the terminal is gone, nothing needs to be restored.
        _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode)
    }
}
