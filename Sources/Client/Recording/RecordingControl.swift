package import Configuration
package import Terminal
package import Text

/// Starts, stops and lists recordings of a running Tapline. Each call sends requests, and returns the recording's state
/// as the admin API describes it.
package struct RecordingControl {
    private let client: AdminClient

    /// The control of a tapline's recordings.
    package init(client: AdminClient) {
        self.client = client
    }

    /// The states of all relays of the configuration in force.
    package func states() throws(CommandFailure) -> [JSONValue] {
        let relays = try client.json(.get, "/v1/relays")["relays"].elements
        return relays.filter { $0["configured"].isTrue }.map { $0["recording"] }
    }

    /// Starts recording a relay; nil: the only one. Throws where it is recorded already.
    package func start(_ relay: String?, _ changes: RecordChanges) throws(CommandFailure) -> JSONValue {
        let state = try state(of: relay) { states throws(CommandFailure) in try RecordingChoice.toStart(states) }
        if state["recording"].isTrue { throw RecordingText.alreadyRecorded(state) }
        let body = changes.isEmpty ? [] : Array(changes.requestText.utf8)
        return try client.json(.post, path(of: state), body: body)
    }

    /// Stops recording a relay; nil: the only one that is recorded. Throws where it is not recorded.
    package func stop(_ relay: String?) throws(CommandFailure) -> JSONValue {
        let state = try state(of: relay) { states throws(CommandFailure) in try RecordingChoice.toStop(states) }
        guard state["recording"].isTrue else { throw RecordingText.notRecorded(state) }
        let stopped = try client.json(.delete, path(of: state))
        if stopped["recording"].isTrue { throw RecordingText.endsWithForward(state) }
        return stopped
    }

    private func state(
        of relay: String?, orOf choose: ([JSONValue]) throws(CommandFailure) -> JSONValue
    ) throws(CommandFailure) -> JSONValue {
        guard let relay else { return try choose(try states()) }
        return try client.json(.get, "/v1/relays/\(relay.percentEncoded)/recording")
    }

    private func path(of state: JSONValue) -> String {
        "/v1/relays/\((state["relay"].text ?? "").percentEncoded)/recording"
    }
}

/// The relay that a command without a name is for. Pure.
enum RecordingChoice {
    /// The only relay.
    static func toStart(_ states: [JSONValue]) throws(CommandFailure) -> JSONValue {
        guard states.count == 1 else { throw ambiguous("record", states, "there are no relays") }
        return states[0]
    }

    /// The only relay that is recorded.
    static func toStop(_ states: [JSONValue]) throws(CommandFailure) -> JSONValue {
        let recorded = states.filter { $0["recording"].isTrue }
        guard recorded.count == 1 else { throw ambiguous("stop recording", recorded, "no relay is being recorded") }
        return recorded[0]
    }

    private static func ambiguous(_ what: String, _ states: [JSONValue], _ none: String) -> CommandFailure {
        guard !states.isEmpty else { return CommandFailure(.failure, "tapline: \(none)") }
        let names = states.map { ($0["relay"].text ?? "?").harmless }.joined(separator: ", ")
        return CommandFailure(.usage, "tapline: name the relay to \(what): \(names)")
    }
}
