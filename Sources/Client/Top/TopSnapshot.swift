import Terminal
import Text

/// The state of a running Tapline at one moment.
struct TopSnapshot: Hashable, Sendable {
    /// `GET /v1/status`.
    var status: JSONValue
    /// In the configuration's order.
    var relays: [Relay]
    /// In the requested order and number.
    var connections: [Connection]
    /// The number of open connections.
    var total: UInt64

    /// A relay's row.
    struct Relay: Hashable, Sendable {
        var name: String
        /// The name in the table; for a relay of `tapline forward`, with its upstream.
        var label: String
        var open: UInt64
        var newPerSecond: Double
        var rateUp: UInt64
        var rateDown: UInt64
        var bytes: UInt64
        var failures: UInt64
        var isRecording: Bool
        var isConfigured: Bool
        /// Its connects fail now.
        var isFailing: Bool
        /// The recent connects that failed, `269/269 refused`; empty without one.
        var failedConnects: String

        /// Of the API's object.
        init(_ relay: JSONValue) {
            name = relay["name"].text ?? ""
            label = RelayLabel.text(of: relay)
            open = relay["open"].count ?? 0
            newPerSecond = relay["rate_accepted"].double ?? 0
            rateUp = relay["rate_up"].count ?? 0
            rateDown = relay["rate_down"].count ?? 0
            bytes = (relay["bytes_up"].count ?? 0) &+ (relay["bytes_down"].count ?? 0)
            failures = StatusReport.failures(of: relay)
            isRecording = relay["recording"]["recording"].isTrue
            isConfigured = relay["configured"].isTrue
            let connects = FailingRelay(relay)
            isFailing = connects.isFailing
            failedConnects = connects.ratio
        }
    }

    /// A connection's row.
    struct Connection: Hashable, Sendable {
        var id: UInt64
        var relay: String
        var client: String
        var upstream: String
        var state: String
        var age: UInt64
        var bytes: UInt64
        var rateUp: UInt64
        var rateDown: UInt64
        var waits: String

        /// Of the API's object.
        init(_ connection: JSONValue) {
            id = connection["id"].count ?? 0
            relay = connection["relay"].text ?? ""
            client = connection["client"].text ?? ""
            upstream = ConnectionTable.upstreamText(connection) ?? ""
            state = PredecessorText.state(connection)
            age = connection["age_ms"].count ?? 0
            bytes = (connection["bytes_up"].count ?? 0) &+ (connection["bytes_down"].count ?? 0)
            rateUp = connection["rate_up"].count ?? 0
            rateDown = connection["rate_down"].count ?? 0
            waits = Words.waits(connection["waits"])
        }
    }

    /// Bytes a second of all relays.
    var rateUp: UInt64 { relays.reduce(0) { $0 &+ $1.rateUp } }
    /// Bytes a second of all relays.
    var rateDown: UInt64 { relays.reduce(0) { $0 &+ $1.rateDown } }
}
