internal import Glibc

/// What standard input's terminal does with what is typed: as it was, or every key at once and without echo.
///
/// Whoever holds it puts the mode back before the process ends; one thread at a time.
public struct TerminalMode: Sendable {
    private let original: termios

    /// The terminal's mode as it is now; nil where standard input is no terminal.
    public init?() {
        var mode = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &mode) == 0 else { return nil }
        original = mode
    }

    /// Hands over every key as it is typed, Ctrl-C and Ctrl-Z too, and shows none (termios(3), `cfmakeraw`).
    public func enterRaw() throws(Errno) {
        var mode = original
        cfmakeraw(&mode)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode) == 0 else { throw .current }
    }

    /// Puts back what there was; keys that nobody has read are dropped.
    public func restore() {
        var mode = original
        // A terminal that is gone needs nothing put back.
        _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode)
    }
}
