import Recording
import Sockets
import Terminal

/// One reading of a recording, from its first byte to its last.
package struct ShowSession: ~Copyable {
    private var input: RecordingInput
    private var filter: ShowFilter
    private var view: any RecordingView
    private let reader: RecordingReader
    private let output = OutputFile.standardOutput
    private var pending: [UInt8] = []
    /// Whether the reader of standard output has closed it.
    private var isUnread = false

    /// As much as waits before it is written.
    private static let batch = 64 * 1024

    package init(input: consuming RecordingInput, filter: ShowFilter, format: ShowFormat) {
        let terminal = TerminalTraits(of: .standardOutput)
        view =
            switch format {
            case .summary:
                SummaryView(columns: TerminalWidth.current, showsUnicode: terminal.showsUnicode)
            case .text: TrafficPrintView(.text, terminal)
            case .hex: TrafficPrintView(.hex, terminal)
            case .raw: RawView()
            case .json: JSONView()
            }
        reader = RecordingReader(keepsPrefixes: format == .summary)
        self.input = input
        self.filter = filter
    }

    /// Shows it all. Throws what ends the command with something else than 0.
    package mutating func run() throws {
        var end: String?
        reading: while !isUnread {
            switch try input.next() {
            case .bytes(let bytes):
                reader.append(bytes)
                do {
                    try showEvents()
                } catch let error as CaptureError {
                    return try finish(after: error)
                }
                if input.isLive { try settle() }
            case .end(let cause):
                end = cause
                break reading
            }
        }
        try finish(after: nil)
        if let end, !isUnread { say(end) }
    }

    // MARK: Showing

    private mutating func showEvents() throws {
        while !isUnread, let event = try reader.next() { try show(event) }
    }

    private mutating func show(_ event: RecordingEvent) throws {
        guard filter.lets(event), !isUnread else { return }
        view.take(event, into: &pending)
        if let note = view.note {
            // In the order of the bytes that it stands between.
            try write()
            say(note)
        }
        if pending.count >= Self.batch { try write() }
    }

    /// Nothing comes for a while, perhaps.
    private mutating func settle() throws {
        view.settle(into: &pending)
        try write()
    }

    private mutating func write() throws {
        guard !pending.isEmpty, !isUnread else { return }
        var offset = 0
        do {
            try output.write(pending, from: &offset)
        } catch {
            guard error.isBrokenPipe else {
                throw CommandFailure(.failure, "tapline: cannot write to standard output: \(error) (\(error.name))")
            }
            // `| head` has seen enough.
            isUnread = true
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func say(_ line: String) {
        writeToStandardError("tapline: \(line)\n")
    }

    // MARK: The end

    /// Shows what is left, and says what was amiss.
    private mutating func finish(after failure: CaptureError?) throws {
        var failure = failure
        do throws(CaptureError) {
            try reader.finish()
        } catch {
            failure = failure ?? error
        }
        // What is left does not come from the capture any more, so that nothing can be wrong with it.
        while let event = try? reader.next() { try show(event) }
        view.finish(into: &pending)
        try write()
        guard !isUnread else { return }
        if let failure {
            let shown = failure.offset == nil ? "" : "; everything before that is shown"
            throw CommandFailure(.failure, "tapline: \(input.name) \(failure)\(shown)")
        }
        if reader.unread > 0 {
            say("\(input.name) is cut short at byte \(reader.offset); everything before that is shown")
        }
        for line in SkippedRemarks(reader.skipped, segments: reader.segments).lines { say("\(input.name): \(line)") }
        if let complaint = filter.complaint(about: input.name) {
            throw CommandFailure(.failure, "tapline: \(complaint)")
        }
    }
}
