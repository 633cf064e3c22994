import Sockets

/// Shows lines again and again until Ctrl-C: in place on a terminal, else with an empty line between repetitions. On
/// the main thread.
package struct RepeatedView {
    private let period: Int32
    private let isForPrograms: Bool
    private let lines: (Int?) throws -> [String]

    /// The closure makes the lines once per period (milliseconds); its argument is the terminal's rows.
    /// `isForPrograms`: nothing but the lines is written.
    package init(every period: Int32, isForPrograms: Bool, lines: @escaping (Int?) throws -> [String]) {
        self.period = period
        self.isForPrograms = isForPrograms
        self.lines = lines
    }

    /// Returns at Ctrl-C or SIGTERM.
    package func run() throws {
        let interruption = try Interruption()
        let isTerminal = ClientOutput.isTerminal && !isForPrograms
        var isFirst = true
        while true {
            let output = ClientOutput()
            let rows = OutputFile.standardOutput.rows
            let shown = try lines(isTerminal ? rows : nil)
            if isTerminal {
                // Cursor home; the rest of each line is cleared, and everything below.
                let clear = isFirst ? "\u{1B}[H\u{1B}[2J" : "\u{1B}[H"
                let text = clear + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
                try output.write(Array(text.utf8))
            } else {
                try output.write(lines: isFirst || isForPrograms ? shown : [""] + shown)
            }
            isFirst = false
            if interruption.wait(milliseconds: period), interruption.consumeSignal() { return }
        }
    }
}
