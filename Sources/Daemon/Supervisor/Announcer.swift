import Configuration
import Logging
import Relay
import Terminal
import Text

/// Says what a person wants to know of the whole, not of a connection: as a line of the log, or in plain words to somebody
/// who watches. A value; any thread.
struct Announcer: Sendable {
    /// Where to.
    let outputs: Outputs
    /// Somebody watches: plain words rather than lines of a log.
    let isForPerson: Bool
    /// Nothing is said but errors.
    let isQuiet: Bool

    /// Says it. The particulars stand in the message, and are for programs beside.
    func announce(_ message: String, particulars: Logger.Metadata = [:]) {
        if outputs.format == .json {
            outputs.logger.notice("\(message)", metadata: particulars)
        } else if !isForPerson {
            outputs.logger.notice("\(message)")
        } else if !isQuiet {
            outputs.say("tapline: \(message)\n")
        }
    }

    private static func destination(of relay: RelaySettings?) -> String {
        let upstream = relay?.upstream.description ?? "?"
        guard let routing = relay?.tlsRouting else { return "to \(upstream)" }
        let routes = Quantity.number(UInt64(routing.routes.count), "route")
        return "by TLS server names (\(routes)), else to \(routing.otherwise == .refuse ? "nobody" : upstream)"
    }

    /// Says where relays listen.
    func announce(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
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
}
