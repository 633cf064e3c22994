import Configuration
import Logging
import Relay
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

    /// Says where relays listen.
    func announce(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
        let upstreams = Dictionary(
            configuration.relays.map { ($0.name, $0.upstream.description) }, uniquingKeysWith: { first, _ in first })
        for listener in listeners {
            let upstream = upstreams[listener.relay] ?? "?"
            announce(
                "\(listener.relay) listens on \(listener.address), forwards to \(upstream)",
                particulars: [
                    "relay": "\(listener.relay)", "listener": "\(listener.address)", "upstream": "\(upstream)",
                ])
        }
    }
}
