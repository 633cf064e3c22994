import EventLoop
import Recording
import Sockets
import Terminal
import Text

/// One reading of recordings, from the first byte to the last.
package struct ShowSession {
    private let recordings: RecordingSet
    private let follow: Bool
    private var filter: ShowFilter
    private let format: ShowFormat
    private var view: any RecordingView
    private let output = OutputFile.standardOutput
    private var pending: [UInt8] = []
    /// The reader of standard output has closed it.
    private var isUnread = false
    private var progress: ProgressLine
    /// Bytes read so far, and all bytes of the files.
    private var done: UInt64 = 0
    private let total: UInt64
    /// Sentences about the files, for the end.
    private var remarks: [String] = []
    private var hasFailed = false

    /// Pending bytes after which they are written.
    private static let batch = 64 * 1024
    /// The most conversations that a first reading can choose.
    private static let mostChosen = 1_000_000

    /// A reading. `sort` is the order of the summary, nil for that of the ids, or of the time for several recordings.
    package init(
        _ recordings: RecordingSet, follow: Bool, filter: ShowFilter, format: ShowFormat, sort: ShowSort?, utc: Bool
    ) {
        let terminal = TerminalTraits(of: .standardOutput)
        let times = Self.times(utc: utc)
        let width = TerminalWidth.ofLines
        let view: any RecordingView =
            switch format {
            case .summary:
                SummaryView(
                    columns: TerminalWidth.current, terminal: terminal, times: times,
                    order: SummaryView.Order(
                        sort: sort ?? ShowSort(recordings.isSingle ? .id : .start), isRequested: sort != nil))
            case .text: TrafficPrintView(.text, terminal, times: times, columns: width)
            case .hex: TrafficPrintView(.hex, terminal, times: times, columns: width)
            case .raw: RawView()
            case .json: JSONView()
            }
        self.init(recordings, view: view, follow: follow, filter: filter, format: format)
    }

    /// Tells what happened to one connection, or with nil to all, in sentences, or as objects in JSON.
    package init(storyOf connection: UInt64?, in recordings: RecordingSet, utc: Bool, isForPrograms: Bool = false) {
        let terminal = TerminalTraits(of: .standardOutput)
        let columns = OutputFile.standardOutput.isTerminal ? TerminalWidth.current ?? 100 : 100
        let view: any RecordingView =
            isForPrograms
            ? StoryObjectView() : StoryView(columns: columns, terminal: terminal, times: Self.times(utc: utc))
        self.init(
            recordings, view: view, follow: false, filter: ShowFilter(connection: connection, legs: .all),
            format: .summary)
    }

    private static func times(utc: Bool) -> TimeText {
        OutputFile.standardOutput.isTerminal && !utc ? .local : .utc
    }

    private init(
        _ recordings: RecordingSet, view: any RecordingView, follow: Bool, filter: ShowFilter, format: ShowFormat
    ) {
        self.view = view
        self.recordings = recordings
        self.follow = follow
        self.filter = filter
        self.format = format
        total = follow ? 0 : recordings.size
        // Only a summary leaves a terminal alone while it reads.
        let isQuiet = format == .summary || !output.isTerminal
        progress = ProgressLine(
            "reading \(recordings.name.harmless)", isShown: total > 0 && isQuiet && OutputFile.standardError.isTerminal,
            clock: { EventLoop.nanoseconds / 1_000_000 })
    }

    /// Shows all recordings. Throws what the command exits with, unless that is 0.
    package mutating func run() throws {
        if filter.needsEnds, format != .summary { try choose() }
        var end: String?
        for group in recordings.groups where !isUnread {
            let reader = RecordingReader(keepsPrefixes: format == .summary)
            view.begin(group.shortName)
            end = try read(group, with: reader) { session, event in try session.show(event) }
        }
        progress.clear()
        view.finish(into: &pending)
        try write()
        guard !isUnread else { return }
        if let remark = view.closingRemark { say(remark) }
        for remark in remarks.dropLast(hasFailed && recordings.isSingle ? 1 : 0) { say(remark) }
        if hasFailed {
            // The sentence about a single file is the command's failure.
            throw CommandFailure(.failure, recordings.isSingle ? remarks.last.map { "tapline: \($0)" } ?? "" : "")
        }
        if let mismatch = filter.mismatch(in: recordings.name) {
            throw CommandFailure(.failure, "tapline: \(mismatch)")
        }
        if let end { say(end) }
    }

    /// A first reading, which chooses the conversations by their ends; the bytes are shown by a second one.
    private mutating func choose() throws {
        guard total > 0 else {
            throw CommandFailure(
                .usage,
                "tapline: \(recordings.name) can be read only once, and the ends come last; save it to a file first")
        }
        var chosen: Set<UInt64> = []
        var ordinals: [RecordedConversation.Key: UInt64] = [:]
        for group in recordings.groups {
            _ = try read(group, with: RecordingReader()) { session, event in
                let isIncluded = session.filter.includes(event)
                switch event {
                case .opened(let conversation): ordinals[conversation.key] = session.filter.lastOpened
                case .ended(let conversation):
                    let ordinal = ordinals.removeValue(forKey: conversation.key)
                    if isIncluded, let ordinal, chosen.count < Self.mostChosen { chosen.insert(ordinal) }
                case .bytes, .missing: break
                }
            }
        }
        filter = filter.choosing(chosen)
        (done, remarks, hasFailed) = (0, [], false)
    }

    // MARK: Reading

    /// Reads a group. Returns why the last input ended, where that is not plain.
    private mutating func read(
        _ group: RecordingSet.Group, with reader: RecordingReader,
        _ handle: (inout ShowSession, RecordingEvent) throws -> Void
    ) throws -> String? {
        var end: String?
        for (index, path) in group.paths.enumerated() where !isUnread {
            if index > 0 { reader.beginNextFile() }
            do {
                end = try read(path, with: reader, handle)
            } catch let failure as CommandFailure where !recordings.isSingle && failure.status == .failure {
                hasFailed = true
                remarks.append(String(failure.message.trimmingPrefix("tapline: ")))
            }
        }
        // The remaining events come from the reader's memory, not from the capture, so reading them cannot fail.
        try? reader.finish()
        while !isUnread, let event = try? reader.next() { try handle(&self, event) }
        let name = group.paths.count == 1 ? Self.name(of: group.paths[0]) : "\(group.paths[0]) and later files"
        let skipped = SkippedRemarks(reader.skipped, segments: reader.segments)
        if !hasFailed { remarks += skipped.lines.map { "\(name): \($0)" } }
        return end
    }

    private mutating func read(
        _ path: String, with reader: RecordingReader, _ handle: (inout ShowSession, RecordingEvent) throws -> Void
    ) throws -> String? {
        var input = try RecordingInput(path: path, follow: follow)
        do {
            while !isUnread {
                switch try input.next() {
                case .bytes(let bytes):
                    reader.append(bytes)
                    while !isUnread, let event = try reader.next() { try handle(&self, event) }
                    if input.isLive { try flush() }
                    done &+= UInt64(bytes.count)
                    progress.update(done, of: total)
                case .end(let cause):
                    try reader.finishFile()
                    if reader.unread > 0 {
                        remarks.append(
                            "\(input.name) is cut short at byte \(reader.offset); everything before that is shown")
                    }
                    return cause
                }
            }
        } catch let error as CaptureError {
            hasFailed = true
            let shown = error.offset == nil ? "" : "; everything before that is shown"
            remarks.append("\(input.name) \(error)\(shown)")
        }
        return nil
    }

    private static func name(of path: String) -> String { path == "-" ? "standard input" : path }

    // MARK: Showing

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
        progress.clear()
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

    private mutating func say(_ line: String) {
        progress.clear()
        writeToStandardError("tapline: \(line)\n")
    }
}
