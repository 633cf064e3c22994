import Configuration
import Glibc
import Logging
import Relay
import Sockets
import Terminal
import Text

/// Reports events of the whole process: as lines of the log, or as plain sentences for a person. A value; any thread.
struct Announcer: Sendable {
    /// The outputs.
    let outputs: Outputs
    /// A person watches: plain sentences rather than lines of the log.
    let isForPerson: Bool
    /// Only errors are reported.
    let isQuiet: Bool
    /// The person's terminal; nil without one.
    var terminal: TerminalOutput?
    /// The person is at a terminal.
    var isAtTerminal: Bool { terminal != nil }

    /// Reports an event. The message contains the particulars, which JSON has as fields, too.
    /// `hasTime`: a line for a person at a terminal begins with the time, as the lines of connections do.
    func announce(_ message: String, particulars: Logger.Metadata = [:], hasTime: Bool = false) {
        if outputs.format == .json {
            outputs.logger.notice("\(message)", metadata: particulars)
        } else if !isForPerson {
            outputs.logger.notice("\(message)")
        } else if !isQuiet {
            if isAtTerminal {
                outputs.writeToTerminal(hasTime ? lines.event(message, at: .now) : "\(message)\n")
            } else {
                outputs.writeDiagnostic("tapline: \(message)\n")
            }
        }
    }

    /// Reports an error, also where only errors are reported.
    func fail(_ message: String) {
        if outputs.format == .json || !isForPerson {
            outputs.logger.error("\(message)")
        } else if isAtTerminal {
            outputs.writeDiagnostic(lines.event("error: \(message)", at: .now))
        } else {
            outputs.writeDiagnostic("tapline: \(message)\n")
        }
    }

    /// The lines for a person at the terminal: of standard error where connections are not shown on it.
    private var lines: ConnectionLines {
        outputs.lines
            ?? ConnectionLines(
                traits: TerminalTraits(of: .standardError), isUTC: terminal?.isUTC == true, relays: [],
                columns: { OutputFile.standardError.columns ?? 80 })
    }

    /// Reports that `forward` has no admin socket. The relays do not depend on it, so the process goes on without.
    func announceMissingSocket(_ error: any Error) {
        if isAtTerminal {
            announce("No admin socket: \(error); start with --admin 9180")
        } else {
            announce("no admin socket: \(error); start with --admin 9180")
        }
    }

    /// Reports the end of the process, as the last line of a log. A person at a desk has the shell's prompt for that.
    /// `resets`: connections that were reset while draining. `isReplaced`: another process writes to the same log, and
    /// reports the end of this one.
    func announceStop(resets: Int, isReplaced: Bool) {
        guard outputs.format == .json || !isForPerson, !isReplaced || resets > 0 else { return }
        let connections = Quantity.number(UInt64(clamping: resets), "connection")
        let particulars: Logger.Metadata = ["reset": .stringConvertible(resets)]
        let verb = resets == 1 ? "was" : "were"
        if isReplaced {
            outputs.logger.notice(
                "process \(getpid()), from before the upgrade, stopped; \(connections) still open \(verb) reset",
                metadata: particulars)
        } else if resets > 0 {
            outputs.logger.notice("stopped; \(connections) still open \(verb) reset", metadata: particulars)
        } else {
            outputs.logger.notice("stopped", metadata: particulars)
        }
    }

    private static func destination(of relay: RelaySettings?) -> String {
        let upstream = relay.map { $0.upstreamText($0.upstream.destinationText) } ?? "?"
        guard let routing = relay?.tlsRouting else { return "to \(upstream)" }
        let routes = Quantity.number(UInt64(routing.routes.count), "route")
        return "by TLS server names (\(routes)), else \(routing.otherwise == .refuse ? "refused" : "to \(upstream)")"
    }

    /// Reports where relays listen.
    func announce(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
        if isAtTerminal {
            if !isQuiet { announceForwarding(listeners, of: configuration) }
            return
        }
        let relays = Dictionary(configuration.relays.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for listener in listeners {
            let relay = relays[listener.relay]
            let upstream = relay?.upstream.description ?? "?"
            let address = "\(relay?.listenerMark ?? "")\(listener.address)"
            announce(
                "\(listener.relay) listens on \(address), forwards \(Self.destination(of: relay))",
                particulars: [
                    "relay": "\(listener.relay)", "listener": "\(listener.address)", "upstream": "\(upstream)",
                ])
        }
    }

    /// Reports the local authority that issues certificates for relays; `SessionReport` does it at a terminal.
    func announceAuthority(of configuration: Configuration) {
        guard !isAtTerminal, let authority = configuration.authority else { return }
        announce(
            "certificates are issued by the local CA \(authority.path.harmless); to trust it, run: tapline ca",
            particulars: [
                "certificate": "\(authority.path.harmless)", "new": .stringConvertible(authority.isNew),
            ])
    }

    /// Reports where relays listen, to a person at a terminal.
    private func announceForwarding(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
        let relays = configuration.relays.map { relay in
            let addresses = listeners.filter { $0.relay == relay.name }.map { "\(relay.listenerMark)\($0.address)" }
            return (listeners: addresses, destination: relay.upstreamText(relay.upstream.destinationText))
        }
        outputs.writeToTerminal(lines.forwarding(relays.filter { !$0.listeners.isEmpty }))
    }
}
