import Admin
import Configuration
import EventLoop
import Logging
import Recording
import Relay
import Sockets
import Terminal
import Text

/// All output of Tapline: end records, diagnostics, and shown traffic. One thread per output.
///
/// Made and ended by the supervisor; meanwhile any thread may write, and none ever blocks.
final class Outputs: Sendable {
    /// A line to write.
    enum Line: Sendable {
        /// A connection was accepted; shown to a person only.
        case opened(ConnectionRecord)
        case endRecord(ConnectionRecord)
        case diagnostic(Diagnostic)
        /// Unchanged, with its newline.
        case text(String)
    }

    /// The most pending lines of an output.
    static let lineLimit = 65_536

    /// The logger of all diagnostics.
    let logger: Logger
    private let live: LiveLog
    /// What a person at a terminal is shown; nil: nothing but the log.
    private let style: LineStyle
    /// The sums for a person at a terminal; nil without one.
    let totals: ConnectionTotals?
    /// The lines of the summary; nil where there is none.
    let summaryLines: ConnectionLines?
    private let diagnostics: OutputWriter<Line>
    private let access: AccessLog
    private let traffic: (writer: OutputWriter<Traffic>, tap: TrafficTap)?
    private let endPlace: EndPlace

    /// Where end records go while traffic is shown.
    private enum EndPlace {
        /// To an output of their own: no order is visible.
        case elsewhere
        /// To the output that shows the traffic, so each follows its connection's last bytes.
        case afterTraffic
        /// Both outputs are one terminal, and the traffic has a line for each end.
        case inTraffic
    }

    /// Opens the outputs and starts their threads. `terminal`: what is shown differently to a person; `relays`: the names
    /// of the relays; `showsUTC`: times of the traffic are in UTC on a terminal, too; `breaksLines`: lines of the log are
    /// broken to the width of a terminal. Throws a `SystemError` where the access log cannot be opened.
    init(
        _ settings: LogSettings, view: TrafficView?, terminal: TerminalOutput? = nil, relays: [String] = [],
        showsUTC: Bool = false, breaksLines: Bool = false
    ) throws {
        let live = LiveLog(level: Logger.Level(settings.level), format: settings.format)
        self.live = live
        var style = LineStyle(live: live)
        style.breaksLines = breaksLines
        if let terminal {
            let output: OutputFile = settings.access == .standardError ? .standardError : .standardOutput
            if terminal.showsConnections {
                style.connections = ConnectionLines(
                    traits: TerminalTraits(of: output), isUTC: terminal.isUTC, relays: relays,
                    columns: { output.columns ?? 80 })
            }
            if terminal.showsDiagnostics {
                style.diagnostics = TerminalTraits(of: .standardError)
                style.columns = { OutputFile.standardError.columns ?? 80 }
            }
        }
        self.style = style
        let showsTraffic = view != nil && terminal != nil && OutputFile.standardOutput.isTerminal
        summaryLines =
            style.connections
            ?? (showsTraffic
                ? ConnectionLines(traits: TerminalTraits(of: .standardOutput), isUTC: false, relays: []) : nil)
        totals = terminal == nil ? nil : ConnectionTotals()
        let diagnostics = try OutputWriter<Line>(
            name: "diagnostics", output: .standardError, limit: Self.lineLimit,
            report: { trouble in
                // Problems of standard error can only be reported there, after it has recovered.
                guard case .recovered(let lost) = trouble, lost > 0 else { return nil }
                let message = trouble.message("lines", to: "standard error")
                return .diagnostic(Diagnostic(time: .now, level: .warning, message: message, fields: []))
            },
            render: { [style = style.on(.standardError)] in style.append($0, to: &$1) })
        self.diagnostics = diagnostics
        let logger = Logger(label: "tapline") { _ in
            DiagnosticsHandler(live) { diagnostics.post(.diagnostic($0)) }
        }
        self.logger = logger
        access = try AccessLog(settings.access, diagnostics: diagnostics, style: style, logger: logger)
        let times: TimeText? = showsUTC ? .utc : nil
        traffic = try view.map { try Self.showTraffic($0, to: .standardOutput, logger, times: times) }
        let isOnePlace = view != nil && OutputFile.standardOutput.isSameFile(as: .standardError)
        let isForPeople = OutputFile.standardOutput.isTerminal && settings.format == .text
        endPlace = isOnePlace ? (isForPeople ? .inTraffic : .afterTraffic) : .elsewhere
    }

    /// A writer that shows traffic, and the tap that feeds it.
    static func showTraffic(
        _ view: TrafficView, to output: OutputFile, _ logger: Logger, times: TimeText? = nil,
        limit: Int = TrafficTap.limit
    ) throws -> (writer: OutputWriter<Traffic>, tap: TrafficTap) {
        let omitted = OmittedTraffic()
        let printer = TrafficPrinter(
            view: view, terminal: TerminalTraits(of: output), times: times ?? (output.isTerminal ? .localClock : .utc),
            columns: width(of: output))
        let writer = try trafficWriter(printer, to: output, logger, omitted, limit: limit)
        return (writer, TrafficTap(writer: writer, omitted: omitted))
    }

    private static func width(of output: OutputFile) -> (@Sendable () -> Int)? {
        guard output.isTerminal else { return nil }
        return { output.columns ?? 80 }
    }

    private static func trafficWriter(
        _ printer: TrafficPrinter, to output: OutputFile, _ logger: Logger, _ omitted: OmittedTraffic, limit: Int
    ) throws -> OutputWriter<Traffic> {
        var printer = printer
        return try OutputWriter<Traffic>(
            name: "print", output: output, limit: limit,
            report: { trouble in
                switch trouble {
                // The print itself reports what it leaves out: flow by flow, and the rest when it has caught up.
                case .full: return nil
                case .recovered: return omitted.takeSum().map { .omitted($0, time: .now) }
                case .failed, .ended:
                    trouble.log("pieces of traffic", to: output.name, logger)
                    return nil
                }
            },
            render: { printer.append($0, to: &$1) })
    }

    // MARK: Any thread

    /// Whether `opened` has a use.
    var showsOpenings: Bool { traffic != nil || lines != nil }

    /// The lines of connections for a person at a terminal; nil: end records are written, or the traffic has them.
    var lines: ConnectionLines? { style.connections }

    /// Whether ends are written as end records, unless `log.access` is `off`: not if a terminal shows them otherwise.
    var writesEndRecords: Bool {
        if case .inTraffic = endPlace { false } else { lines == nil }
    }

    /// A client was accepted.
    func opened(_ record: ConnectionRecord) {
        traffic?.tap.opened(record)
        if lines != nil { access.post(.opened(record)) }
    }

    /// A connection has ended.
    func ended(_ record: ConnectionRecord) {
        totals?.add(record)
        guard let tap = traffic?.tap else { return access.post(.endRecord(record)) }
        switch endPlace {
        case .elsewhere:
            access.post(.endRecord(record))
            tap.ended(record)
        case .afterTraffic: tap.ended(record) { [access] in access.post(.endRecord(record)) }
        case .inTraffic: tap.ended(record)
        }
    }

    /// Receives traffic; nil where none is shown, so that flows may be spliced.
    var passed: (@Sendable (UInt64, Direction, RawSpan) -> Void)? {
        guard let tap = traffic?.tap else { return nil }
        return { tap.passed($0, $1, $2) }
    }

    /// Writes text among the end records.
    func write(_ text: String) {
        access.post(.text(text))
    }

    /// Writes text for a person at a terminal: among the lines of connections, or of the traffic, or else among the
    /// diagnostics.
    func writeToTerminal(_ text: String) {
        if lines != nil {
            write(text)
        } else if case .inTraffic = endPlace, let traffic {
            traffic.writer.postAlways(.remark(text))
        } else {
            writeDiagnostic(text)
        }
    }

    /// The width of the terminal that `writeToTerminal` writes to.
    var columns: Int { style.columns() }

    /// Writes text among the diagnostics.
    func writeDiagnostic(_ text: String) {
        diagnostics.post(.text(text))
    }

    // MARK: Changing, by the supervisor

    /// Settings whose outputs are open and not in use.
    struct Change {
        fileprivate let settings: LogSettings
        fileprivate let access: AccessLog.Prepared
    }

    /// Prepares a change; applying it cannot fail. `reopening`: an access log with the same path is opened again. The
    /// result is either applied or discarded.
    func prepare(_ settings: LogSettings, reopening: Bool) throws(SystemError) -> Change {
        Change(settings: settings, access: try access.prepare(settings.access, reopening: reopening))
    }

    /// Switches to other settings; pending lines get the new format. No connection is affected and no record is lost.
    /// The level is set separately.
    func apply(_ change: Change) {
        live.format = change.settings.format
        access.apply(change.access)
    }

    /// Ends a change that is not applied.
    func discard(_ change: Change) {
        access.discard(change.access)
    }

    /// The least level of diagnostics.
    var level: Logger.Level {
        get { live.level }
        set { live.level = newValue }
    }

    /// The format of lines.
    var format: LogSettings.Format { live.format }

    /// Whether another tapline writes to the same outputs, before or after an upgrade: lines stay whole then.
    func share(_ isShared: Bool) {
        OutputFile.standardOutput.isShared = isShared
        OutputFile.standardError.isShared = isShared
    }

    // MARK: The end, by the supervisor

    /// Writes everything pending. `done` is called on another thread; `join` follows.
    func finish(then done: @escaping @Sendable () -> Void) {
        // Diagnostics last: the others may still report problems.
        let finishDiagnostics: @Sendable () -> Void = { [diagnostics] in diagnostics.finish(then: done) }
        let finishAccess: @Sendable () -> Void = { [access] in access.finish(then: finishDiagnostics) }
        if let traffic { traffic.writer.finish(then: finishAccess) } else { finishAccess() }
    }

    /// Joins the threads, after `finish`.
    func join() {
        traffic?.writer.join()
        access.join()
        diagnostics.join()
    }

    /// The number of end records not yet written.
    var missingEndRecords: Int { access.missing }
}

extension OutputTrouble {
    /// Logs it: lost items are an error, a recovery without loss is not.
    func log(_ items: String, to output: String, _ logger: Logger) {
        let level: Logger.Level = if case .recovered(lost: 0) = self { .notice } else { .error }
        logger.log(level: level, "\(message(items, to: output))")
    }
}
