import Synchronization
import Testing

@testable import Terminal

struct ProgressLineTests {
    /// The output and the clock.
    private final class Output: Sendable {
        private let state = Mutex((text: "", now: 0 as UInt64))
        var text: String { state.withLock { $0.text } }
        var now: UInt64 {
            get { state.withLock { $0.now } }
            set { state.withLock { $0.now = newValue } }
        }
        func write(_ text: String) { state.withLock { $0.text += text } }
    }

    private func line(_ output: Output, isShown: Bool = true) -> ProgressLine {
        ProgressLine("reading a", isShown: isShown, clock: { output.now }, write: { output.write($0) })
    }

    @Test func line_appearsAfterASecond_andIsRemoved() {
        let output = Output()
        var line = line(output)
        output.now = 999
        line.update(10, of: 1000)
        line.clear()
        #expect(output.text == "")
        output.now = 1000
        line.update(250, of: 1000)
        output.now = 1100
        line.update(300, of: 1000)
        #expect(output.text == "\rreading a: 25 %, 250 B of 0.98 KiB\u{1B}[K")
        output.now = 1200
        line.update(500, of: 0)
        line.clear()
        line.clear()
        #expect(output.text.hasSuffix("\u{1B}[K\rreading a: 500 B\u{1B}[K\r\u{1B}[K"))
    }

    @Test func line_withoutATerminal_isNeverShown() {
        let output = Output()
        var line = line(output, isShown: false)
        output.now = .max
        line.update(.max, of: 1)
        line.clear()
        #expect(output.text == "")
    }
}
