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
    /// The reader of standard output has closed it.
    private var isUnread = false

    /// Pending bytes after which they are written.
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

    /// Shows the whole recording. Throws what the command exits with, unless that is 0.
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
                if input.isLive { try flush() }
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
        guard filter.includes(event), !isUnread else { return }
        view.append(event, into: &pending)
        if let note = view.note {
            // The note belongs between the bytes before it and those after it.
            try write()
            say(note)
        }
        if pending.count >= Self.batch { try write() }
    }

    /// The input may pause.
    private mutating func flush() throws {
        view.flush(into: &pending)
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
            // `| head` has closed the pipe.
            isUnread = true
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func say(_ line: String) {
        writeToStandardError("tapline: \(line)\n")
    }

    // MARK: The end

    /// Shows the rest, and reports what was wrong or left out.
    private mutating func finish(after failure: CaptureError?) throws {
        var failure = failure
        do throws(CaptureError) {
            try reader.finish()
        } catch {
            failure = failure ?? error
        }
        // The remaining events come from the reader's memory, not from the capture, so reading them cannot fail.
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
        if let mismatch = filter.mismatch(in: input.name) {
            throw CommandFailure(.failure, "tapline: \(mismatch)")
        }
    }
}
