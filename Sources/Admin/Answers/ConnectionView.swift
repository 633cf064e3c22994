internal import Recording
internal import Relay
internal import Sockets
internal import Text

/// One connection in the API's answers. Pure.
struct ConnectionView {
    typealias Rate = RateMeter<UInt64>.Rate

    /// The first key after those of the end record.
    static let firstLiveKey = "state"
    /// The key of the process that has the connection: null for this one, else a predecessor's id.
    static let processKey = "process"

    /// Writes an open connection; `more` adds further keys.
    static func write(
        _ live: LiveConnection, _ rate: Rate, to json: inout JSONText, _ more: (inout JSONText) -> Void = { _ in }
    ) {
        var record = live.record
        record.flows = ConnectionRecord.Flows(up: live.up, down: live.down)
        json.object(of: record) { json in
            json.add("state", live.state.rawValue)
            json.add("accepted", time: Timestamp(nanoseconds: record.accepted))
            json.add("age_ms", number: Milliseconds.of(nanoseconds: live.age))
            json.add("rate_up", number: UInt64(saturating: rate.up))
            json.add("rate_down", number: UInt64(saturating: rate.down))
            json.add("spliced_up", number: record.splicedUp)
            json.add("spliced_down", number: record.splicedDown)
            json.add("splices", live.up.splices || live.down.splices)
            json.add("recording", live.isTapped)
            proxy(record.proxy, to: &json)
            hello(record.hello, to: &json)
            if let waits = Waits(live) {
                json.object("waits") { json in
                    json.add("for", waits.subject.rawValue)
                    json.add("ms", number: waits.milliseconds)
                    if live.wait == .upstreamUp, let hold = record.hold {
                        json.add("limit_ms", number: hold.limit)
                        json.add("attempts", number: hold.failures)
                        json.add("last", hold.reason.rawValue)
                    }
                }
            } else {
                json.addNull("waits")
            }
            json.object("legs") { json in
                leg(
                    "client", live.client ?? .init(address: record.proxy?.peer ?? record.client), in: live.up,
                    out: live.down, &json)
                if let upstream = live.upstream {
                    leg("upstream", upstream, in: live.down, out: live.up, &json)
                } else {
                    json.addNull("upstream")
                }
            }
            request(record.request, to: &json)
            json.add("upstream_proxy", record.upstreamProxy?.proxy)
            more(&json)
            json.addNull(processKey)
        }
    }

    /// The contents of the client's PROXY header besides the address.
    private static func proxy(_ facts: ProxyFacts?, to json: inout JSONText) {
        guard let facts, let version = facts.version else {
            json.addNull("proxy_header")
            return
        }
        json.object("proxy_header") { json in
            json.add("version", version)
            json.add("destination", facts.destination?.description)
            json.add("authority", facts.authority)
            json.add("tls_version", facts.tlsVersion)
        }
    }

    /// The contents of the client's TLS ClientHello besides the server name and the application protocols.
    private static func hello(_ facts: TLSFacts?, to json: inout JSONText) {
        guard let facts else {
            json.addNull("tls_hello")
            return
        }
        json.object("tls_hello") { json in
            json.add("version", facts.version)
            json.add("route", facts.route)
            json.add("fault", facts.fault)
        }
    }

    /// The client's request for a destination.
    private static func request(_ facts: RequestFacts?, to json: inout JSONText) {
        guard let facts else {
            json.addNull("request")
            return
        }
        json.object("request") { json in
            json.add("protocol", facts.protocolName)
            json.add("fault", facts.fault)
        }
    }

    /// A leg, with the flows from it and to it.
    private static func leg(
        _ key: String, _ leg: LiveConnection.LegState, in incoming: LiveConnection.FlowState,
        out outgoing: LiveConnection.FlowState, _ json: inout JSONText
    ) {
        json.object(key) { json in
            json.add("address", leg.address.isUnix && key == "client" ? "unix:" : leg.address.description)
            json.add("ended", incoming.hasEnded)
            json.add("failed", leg.hasFailed)
            json.add("held_bytes", number: outgoing.held)
            json.add("blocked_ms", number: outgoing.held > 0 ? outgoing.quiet : nil)
            json.add("quiet_ms", number: incoming.quiet)
            guard let kernel = leg.kernel else {
                json.addNull("tcp")
                return
            }
            json.object("tcp") { json in
                json.add("rtt_us", number: kernel.info.roundTrip)
                json.add("send_queue", number: kernel.sendQueue)
                json.add("receive_queue", number: kernel.receiveQueue)
                json.add("unacked", number: kernel.info.unacknowledged)
                json.add("retransmits", number: kernel.info.totalRetransmits)
                json.add("mss", number: kernel.info.segmentSize)
                json.add("congestion_control", kernel.congestionControl)
            }
        }
    }

    /// Writes an ended connection with the same keys.
    static func write(_ record: ConnectionRecord, to json: inout JSONText, _ more: (inout JSONText) -> Void) {
        json.object(of: record) { json in
            json.add("state", "closed")
            json.add("accepted", time: Timestamp(nanoseconds: record.accepted))
            json.add("age_ms", number: Milliseconds.of(nanoseconds: record.end?.duration ?? 0))
            json.add("rate_up", number: 0)
            json.add("rate_down", number: 0)
            json.add("spliced_up", number: record.splicedUp)
            json.add("spliced_down", number: record.splicedDown)
            json.add("splices", false)
            json.add("recording", false)
            proxy(record.proxy, to: &json)
            hello(record.hello, to: &json)
            json.addNull("waits")
            json.addNull("legs")
            request(record.request, to: &json)
            json.add("upstream_proxy", record.upstreamProxy?.proxy)
            more(&json)
            json.addNull(processKey)
        }
    }

    /// The connections of a query, in its order.
    static func select(
        _ connections: [LiveConnection], _ rates: RateMeter<UInt64>, _ query: Query
    ) -> [LiveConnection] {
        var chosen = connections
        if let relay = query.relay { chosen.removeAll { $0.record.relay != relay } }
        let key = query.sort.key
        // They are in the order of their ids, and the sort is stable.
        if key != .id {
            let keyed = chosen.map { (live: $0, order: order(of: $0, rates, by: key)) }
            chosen = keyed.sorted { $0.order < $1.order }.map(\.live)
        }
        if query.sort.isReversed { chosen.reverse() }
        return chosen
    }

    /// A connection's place in an order: numbers from the largest on, then texts.
    static func order(
        of live: LiveConnection, _ rates: RateMeter<UInt64>, by key: Query.Sort.Key
    ) -> ConnectionOrder {
        let record = live.record
        let number: Double? =
            switch key {
            case .id: -Double(record.id)
            case .age: Double(live.age) / 1_000_000
            case .bytes: Double(record.bytesUp) + Double(record.bytesDown)
            case .bytesUp: Double(record.bytesUp)
            case .bytesDown: Double(record.bytesDown)
            case .rate: rates.rate(of: record.id).up + rates.rate(of: record.id).down
            case .rateUp: rates.rate(of: record.id).up
            case .rateDown: rates.rate(of: record.id).down
            case .waits: Double(Waits(live)?.milliseconds ?? 0)
            case .client, .relay, .upstream: nil
            }
        let text: String? =
            switch key {
            case .client: record.clientText
            case .relay: record.relay
            case .upstream: record.upstream
            case .id, .age, .bytes, .bytesUp, .bytesDown, .rate, .rateUp, .rateDown, .waits: nil
            }
        return ConnectionOrder(number: number ?? 0, text: text ?? "")
    }
}
