import Configuration
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
    /// The person is at a terminal.
    var isAtTerminal = false

    /// Reports an event. The message contains the particulars, which JSON has as fields, too.
    func announce(_ message: String, particulars: Logger.Metadata = [:]) {
        if outputs.format == .json {
            outputs.logger.notice("\(message)", metadata: particulars)
        } else if !isForPerson {
            outputs.logger.notice("\(message)")
        } else if !isQuiet {
            if isAtTerminal {
                outputs.writeToTerminal("\(message)\n")
            } else {
                outputs.writeDiagnostic("tapline: \(message)\n")
            }
        }
    }

    /// Reports an error, also where only errors are reported.
    func fail(_ message: String) {
        if outputs.format == .json || !isForPerson {
            outputs.logger.error("\(message)")
        } else {
            outputs.writeDiagnostic("tapline: \(message)\n")
        }
    }

    private static func destination(of relay: RelaySettings?) -> String {
        let upstream = relay?.upstream.description ?? "?"
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
            announce(
                "\(listener.relay) listens on \(listener.address), forwards \(Self.destination(of: relay))",
                particulars: [
                    "relay": "\(listener.relay)", "listener": "\(listener.address)", "upstream": "\(upstream)",
                ])
        }
    }

    /// Reports where relays listen, to a person at a terminal.
    private func announceForwarding(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
        let lines =
            outputs.lines ?? ConnectionLines(traits: TerminalTraits(of: .standardError), isUTC: false, relays: [])
        let relays = configuration.relays.map { relay in
            let addresses = listeners.filter { $0.relay == relay.name }.map { "\($0.address)" }
            return (listeners: addresses, destination: relay.upstream.description)
        }
        outputs.writeToTerminal(lines.forwarding(relays.filter { !$0.listeners.isEmpty }))
    }
}
