internal import Configuration
internal import Relay
internal import Sockets
internal import Text

/// One relay in the API's answers. Pure.
struct RelayView {
    typealias Rate = RateMeter<String>.Rate

    /// Its name.
    var name: String
    /// Its settings; nil once a reload has removed it.
    var settings: RelaySettings?
    /// Its bound listeners.
    var listeners: [String]
    var stats: RelayStats
    var rate: Rate
    var recording: RecordingState
    var recentConnects = RecentConnects.Summary()
    var now = Timestamp.now

    func write(to json: inout JSONText) {
        json.object { json in
            Self.writeCounters(name, stats, rate, to: &json)
            json.add("configured", settings != nil)
            json.list("listeners", listeners) { $0.element($1) }
            json.add("upstream", settings?.upstream.description)
            json.add("upstream_proxy", settings?.upstreamProxy?.url)
            json.add("tls", settings?.tls != nil)
            json.add("upstream_tls", settings?.upstreamTLS != nil)
            Self.write(settings?.tlsRouting, to: &json)
            json.list("certificates", settings?.expiries ?? []) { json, expiry in
                json.object { json in
                    json.add("file", expiry.file)
                    json.add("kind", expiry.kind.rawValue)
                    json.add("expires", time: Timestamp(seconds: expiry.seconds, nanoseconds: 0))
                    let (left, isEndless) = expiry.seconds.subtractingReportingOverflow(now.nanoseconds / 1_000_000_000)
                    json.add("expires_in_s", number: isEndless ? Int64.max : max(0, left))
                }
            }
            json.add("tls_unverified", settings?.upstreamTLS?.isVerified == false)
            json.add("spliced_up", number: stats.splicedUp)
            json.add("spliced_down", number: stats.splicedDown)
            Self.writeFailures(stats, to: &json)
            json.add("accept_pauses", number: stats.acceptPauses)
            json.add("accept_errors", number: stats.acceptErrors)
            if let settings {
                json.object("limits") { json in
                    json.add("max_connections", number: settings.maxConnections)
                    json.add("connect_ms", number: settings.timeouts.connect.milliseconds)
                    json.add("idle_ms", number: settings.timeouts.idle.milliseconds)
                    json.add("half_close_ms", number: settings.timeouts.halfClose.milliseconds)
                    json.add("lifetime_ms", number: settings.timeouts.lifetime.milliseconds)
                    json.add("wait_ms", number: settings.timeouts.wait.milliseconds)
                }
            } else {
                json.addNull("limits")
            }
            json.object("recording") { Self.writeKeys(recording, to: &$0) }
            Self.write(recentConnects, to: &json)
        }
    }

    /// The failed connects by reason.
    static func writeFailures(_ stats: RelayStats, to json: inout JSONText) {
        var failures: [EndReason: UInt64] = [:]
        for (failure, count) in stats.connectFailures { failures[failure.reason, default: 0] &+= count }
        write("connect_failures", failures, to: &json)
    }

    /// The connects of the last minutes. A relay that a reload has removed connects no more, so it does not fail now.
    static func connects(of stats: RelayStats?, isConfigured: Bool, at clock: UInt64) -> RecentConnects.Summary {
        var connects = (stats ?? RelayStats()).recentConnects.summary(at: clock)
        connects.isFailing = connects.isFailing && isConfigured
        return connects
    }

    /// Writes the connects of the last minutes.
    static func write(_ connects: RecentConnects.Summary, to json: inout JSONText) {
        json.object("recent_connects") { writeKeys(connects, to: &$0) }
    }

    /// The keys of `recent_connects`, also of a relay in `failing_relays`.
    static func writeKeys(_ connects: RecentConnects.Summary, to json: inout JSONText) {
        json.add("window_ms", number: RecentConnects.span)
        json.add("attempts", number: connects.attempts)
        json.add("failed", number: connects.failed)
        json.add("failing", connects.isFailing)
        json.add("last_failure", connects.reason?.rawValue)
    }

    /// The TLS routing.
    private static func write(_ routing: TLSRoutingSettings?, to json: inout JSONText) {
        guard let routing else {
            json.addNull("tls_routing")
            return
        }
        json.object("tls_routing") { json in
            json.list("routes", routing.routes) { json, route in
                json.object { json in
                    json.list("server_name", route.serverNames) { $0.element($1.description) }
                    json.list("alpn", route.applications) { $0.element($1) }
                    json.add("upstream", route.upstream?.description)
                }
            }
            json.add("otherwise", routing.otherwise.rawValue)
            json.add("timeout_ms", number: routing.timeout.milliseconds)
        }
    }

    /// The keys that the `counters` event also has.
    static func writeCounters(_ name: String, _ stats: RelayStats, _ rate: Rate, to json: inout JSONText) {
        json.add("name", name)
        json.add("accepted", number: stats.accepted)
        json.add("open", number: stats.open)
        write("ended", stats.ended, to: &json)
        json.add("bytes_up", number: stats.bytesUp)
        json.add("bytes_down", number: stats.bytesDown)
        json.add("rate_up", number: UInt64(saturating: rate.up))
        json.add("rate_down", number: UInt64(saturating: rate.down))
        json.add("rate_accepted", decimal: rate.accepted)
    }

    private static func write(_ key: String, _ counts: [EndReason: UInt64], to json: inout JSONText) {
        json.object(key) { json in
            for reason in EndReason.allCases {
                if let count = counts[reason] { json.add(reason.rawValue, number: count) }
            }
        }
    }

    /// The state of a relay's recording in the API's answers.
    static func write(_ state: RecordingState, to json: inout JSONText) {
        json.object { writeKeys(state, to: &$0) }
    }

    private static func writeKeys(_ state: RecordingState, to json: inout JSONText) {
        json.add("relay", state.relay)
        json.add("recording", state.isRecording)
        json.add("file", state.file)
        json.add("recorded_bytes", number: state.recordedBytes)
        json.add("dropped_bytes", number: state.droppedBytes)
        json.add("since", time: state.since.map { Timestamp(nanoseconds: $0) })
        json.add("trouble", state.trouble)
        guard let latest = state.latest else { return json.addNull("latest") }
        json.object("latest") { json in
            json.add("file", latest.file)
            json.add("packets", number: latest.packets)
            json.add("recorded_bytes", number: latest.recordedBytes)
            json.add("dropped_bytes", number: latest.droppedBytes)
        }
    }
}
