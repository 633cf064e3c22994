internal import Configuration
internal import Relay
internal import Text

/// The values of the metrics at one moment.
struct MetricsInput: Sendable {
    /// The counters of every relay by name, including removed ones.
    var relays: [String: RelayStats]
    /// Names of configured relays, which are exposed before their first client.
    var configured: [String]
    /// When the files of configured relays expire.
    var expiries: [(relay: String, expiry: TLSExpiry)] = []
    /// The state of the relays' recordings.
    var recordings: [RecordingState]
    /// Clients that wait for their upstream to come up.
    var heldClients = 0
    /// The state of the process.
    var facts: ProcessStatus.Facts
    var version: String
    /// Its start, nanoseconds since 1970 UTC.
    var started: Int64
    var process: ProcessStats
    var predecessors: [Predecessors.State] = []
}

/// The text of `/metrics`. Pure. The names are stable.
enum MetricsText {
    /// Reasons that every relay exposes from the start, so that the rate over the first one is right.
    private static let usualReasons: [EndReason] = [.clientClosed, .upstreamClosed]

    static func make(_ input: MetricsInput) -> [UInt8] {
        var text = Exposition()
        var relays = input.relays
        for name in input.configured where relays[name] == nil { relays[name] = RelayStats() }
        let sorted = relays.sorted { $0.key < $1.key }
        connections(sorted, &text)
        bytes(sorted, &text)
        connects(sorted, &text)
        expiries(input, &text)
        recordings(input, sorted, &text)
        configuration(input, &text)
        predecessors(input, &text)
        process(input, &text)
        return text.bytes
    }

    private typealias Relays = [(key: String, value: RelayStats)]

    private static func connections(_ relays: Relays, _ text: inout Exposition) {
        text.metric("tapline_connections_accepted_total", .counter, "Accepted clients.")
        for (name, stats) in relays {
            text.sample("tapline_connections_accepted_total", [("relay", name)], stats.accepted)
        }
        text.metric("tapline_connections_open", .gauge, "Open connections.")
        for (name, stats) in relays { text.sample("tapline_connections_open", [("relay", name)], stats.open) }
        text.metric(
            "tapline_connections_ended_total", .counter, "Ended connections, by reason and by the side that closed.")
        for (name, stats) in relays {
            for reason in EndReason.allCases where stats.ended[reason] != nil || usualReasons.contains(reason) {
                // A reason of TLS sessions has a count for each side.
                let counts = stats.endedSessions[reason] ?? [reason.closedBy: stats.ended[reason] ?? 0]
                for closedBy in ClosedBy.allCases {
                    guard let count = counts[closedBy] else { continue }
                    text.sample(
                        "tapline_connections_ended_total",
                        [("relay", name), ("reason", reason.rawValue), ("closed_by", closedBy.rawValue)], count)
                }
            }
        }
        text.metric(
            "tapline_connection_seconds", .histogram, "Durations of ended connections, from accept to end, in seconds.")
        for (name, stats) in relays { histogram("tapline_connection_seconds", name, stats.lifetimes, &text) }
        text.metric(
            "tapline_accept_pauses_total", .counter,
            "Pauses of listeners, because no more connections could be accepted or the listener failed.")
        for (name, stats) in relays {
            text.sample("tapline_accept_pauses_total", [("relay", name)], stats.acceptPauses)
        }
        text.metric(
            "tapline_accept_errors_total", .counter,
            "Failed accepts: the client was already gone, the system was short of resources, or the listener failed.")
        for (name, stats) in relays {
            text.sample("tapline_accept_errors_total", [("relay", name)], stats.acceptErrors)
        }
    }

    private static func expiries(_ input: MetricsInput, _ text: inout Exposition) {
        text.metric(
            "tapline_tls_certificate_expiry_timestamp_seconds", .gauge,
            "Expiry of a certificate, of authorities or of a revocation list, in seconds since 1970 UTC.")
        for (relay, expiry) in input.expiries {
            text.sample(
                "tapline_tls_certificate_expiry_timestamp_seconds",
                [("relay", relay), ("certificate", expiry.file), ("kind", expiry.kind.rawValue)],
                UInt64(clamping: expiry.seconds))
        }
    }

    private static func predecessors(_ input: MetricsInput, _ text: inout Exposition) {
        text.metric(
            "tapline_predecessor_connections_open", .gauge,
            "Open connections in older processes, from before an upgrade.")
        for predecessor in input.predecessors {
            guard let open = predecessor.status?["open_connections"].count else { continue }
            text.sample("tapline_predecessor_connections_open", [("process", "\(predecessor.id)")], open)
        }
    }

    private static func bytes(_ relays: Relays, _ text: inout Exposition) {
        text.metric(
            "tapline_bytes_total", .counter,
            "Bytes accepted by the destination, counted as they pass; up is from client to upstream.")
        for (name, stats) in relays {
            text.sample("tapline_bytes_total", [("relay", name), ("direction", "up")], stats.bytesUp)
            text.sample("tapline_bytes_total", [("relay", name), ("direction", "down")], stats.bytesDown)
        }
        text.metric(
            "tapline_spliced_bytes_total", .counter,
            "The part of tapline_bytes_total that was spliced inside the kernel.")
        for (name, stats) in relays {
            text.sample("tapline_spliced_bytes_total", [("relay", name), ("direction", "up")], stats.splicedUp)
            text.sample("tapline_spliced_bytes_total", [("relay", name), ("direction", "down")], stats.splicedDown)
        }
    }

    private static func connects(_ relays: Relays, _ text: inout Exposition) {
        text.metric(
            "tapline_connect_seconds", .histogram,
            "Times from accept until connected, in seconds; includes the name lookup, excludes the time a client was held."
        )
        for (name, stats) in relays { histogram("tapline_connect_seconds", name, stats.connectTimes, &text) }
        text.metric(
            "tapline_connect_failures_total", .counter,
            "Failed connects, by reason and by configured upstream or proxy; while a client is held, every attempt counts."
        )
        for (name, stats) in relays {
            let failures = stats.connectFailures.sorted {
                ($0.key.endpoint, $0.key.reason.rawValue) < ($1.key.endpoint, $1.key.reason.rawValue)
            }
            for (failure, count) in failures {
                text.sample(
                    "tapline_connect_failures_total",
                    [("relay", name), ("reason", failure.reason.rawValue), ("endpoint", failure.endpoint)], count)
            }
        }
    }

    private static func histogram(
        _ name: String, _ relay: String, _ histogram: DurationHistogram, _ text: inout Exposition
    ) {
        let bounds = histogram.bounds.seconds
        var total: UInt64 = 0
        for index in bounds.indices {
            total &+= histogram.counts[index]
            text.sample(name + "_bucket", [("relay", relay), ("le", shortest(bounds[index]))], total)
        }
        text.sample(name + "_bucket", [("relay", relay), ("le", "+Inf")], histogram.count)
        text.sample(name + "_sum", [("relay", relay)], nanoseconds: histogram.sum)
        text.sample(name + "_count", [("relay", relay)], histogram.count)
    }

    /// `0.5`, and `5` instead of `5.0`.
    private static func shortest(_ number: Double) -> String {
        number == number.rounded() ? "\(Int(number))" : "\(number)"
    }

    private static func recordings(_ input: MetricsInput, _ relays: Relays, _ text: inout Exposition) {
        let states = input.recordings.sorted { $0.relay < $1.relay }
        text.metric("tapline_recording", .gauge, "Whether the relay is being recorded.")
        for state in states { text.sample("tapline_recording", [("relay", state.relay)], state.isRecording ? 1 : 0) }
        text.metric("tapline_recorded_bytes_total", .counter, "Recorded bytes.")
        for (relay, stats) in relays {
            text.sample("tapline_recorded_bytes_total", [("relay", relay)], stats.recordedBytes)
        }
        text.metric(
            "tapline_recording_dropped_bytes_total", .counter, "Bytes missing from recordings.")
        for (relay, stats) in relays {
            text.sample("tapline_recording_dropped_bytes_total", [("relay", relay)], stats.droppedBytes)
        }
        text.metric("tapline_recording_trouble", .gauge, "Whether writing the recording currently fails.")
        for state in states {
            text.sample("tapline_recording_trouble", [("relay", state.relay)], state.trouble == nil ? 0 : 1)
        }
    }

    private static func configuration(_ input: MetricsInput, _ text: inout Exposition) {
        let facts = input.facts
        text.metric("tapline_config_generation", .gauge, "Number of the active configuration (its generation).")
        text.sample("tapline_config_generation", [], facts.generation)
        text.metric("tapline_config_reloads_total", .counter, "Reloads, by result.")
        for (result, count) in [
            ("applied", facts.applied), ("rejected", facts.rejected), ("unchanged", facts.unchanged),
        ] {
            text.sample("tapline_config_reloads_total", [("result", result)], count)
        }
        text.metric(
            "tapline_config_last_reload_successful", .gauge,
            "Whether the last reload was accepted; 1 before the first reload.")
        text.sample("tapline_config_last_reload_successful", [], facts.lastReload?.result == .rejected ? 0 : 1)
        text.metric(
            "tapline_config_last_success_timestamp_seconds", .gauge,
            "Time of the last valid configuration, in seconds since 1970.")
        text.sample(
            "tapline_config_last_success_timestamp_seconds", [], decimal: Double(facts.lastSuccess.nanoseconds) / 1e9)
        text.metric("tapline_draining", .gauge, "Whether the process is draining and accepts no more clients.")
        text.sample("tapline_draining", [], facts.isDraining ? 1 : 0)
        text.metric(
            "tapline_clients_held", .gauge, "Clients currently held until their upstream is up (timeouts.wait).")
        text.sample("tapline_clients_held", [], UInt64(max(0, input.heldClients)))
        text.metric("tapline_build_info", .gauge, "Always 1; the label has the version.")
        text.sample("tapline_build_info", [("version", input.version)], 1)
    }

    /// With Prometheus' own names (client_golang, process collector).
    private static func process(_ input: MetricsInput, _ text: inout Exposition) {
        let process = input.process
        text.metric("process_cpu_seconds_total", .counter, "User and system CPU time in seconds.")
        text.sample("process_cpu_seconds_total", [], decimal: process.cpuSeconds)
        text.metric("process_open_fds", .gauge, "Number of open file descriptors.")
        text.sample("process_open_fds", [], process.openDescriptors)
        text.metric("process_max_fds", .gauge, "Maximum number of open file descriptors.")
        text.sample("process_max_fds", [], process.descriptorLimit)
        // Unknown without /proc; a sample of 0 would be wrong.
        if process.residentBytes > 0 {
            text.metric("process_virtual_memory_bytes", .gauge, "Virtual memory size in bytes.")
            text.sample("process_virtual_memory_bytes", [], process.virtualBytes)
            text.metric("process_resident_memory_bytes", .gauge, "Resident memory size in bytes.")
            text.sample("process_resident_memory_bytes", [], process.residentBytes)
        }
        text.metric("process_start_time_seconds", .gauge, "Start time of the process, in seconds since 1970.")
        text.sample("process_start_time_seconds", [], decimal: Double(input.started) / 1e9)
        if process.threads > 0 {
            text.metric("process_threads", .gauge, "Number of threads.")
            text.sample("process_threads", [], process.threads)
        }
    }
}
