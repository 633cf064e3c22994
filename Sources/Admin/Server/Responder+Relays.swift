internal import Configuration
internal import Logging
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Relays and their recordings.
extension Responder {
    /// The relays of a query: configured ones, removed ones, and those that only predecessors have, with the process.
    /// 404 for a relay that does not exist.
    func relays(_ query: Query) async throws(AdminError) -> Answer {
        let (stats, rates) = await collector.stats(with: collector.requestRates)
        let recordings = await collector.recordings()
        let configured = services.status.now.configuration.relays
        let listeners = Dictionary(grouping: services.relays.listeners, by: \.relay)
        let removed = Set(stats.keys).subtracting(configured.map(\.name)).sorted()
        let all = configured.map { (name: $0.name, settings: Optional($0)) } + removed.map { (name: $0, settings: nil) }
        let chosen = all.filter { query.relay == nil || $0.name == query.relay }
        let own = Set(all.map(\.name))
        let (ofPredecessors, silent) = await services.predecessors.relays()
        let elsewhere = ofPredecessors.filter { relay in
            guard let name = relay["name"].text else { return false }
            return !own.contains(name) && (query.relay == nil || name == query.relay)
        }
        if let relay = query.relay, chosen.isEmpty, elsewhere.isEmpty { throw noRelay(relay, unless: silent) }
        let clock = Collector.clock
        var json = JSONText()
        json.object { json in
            json.beginList("relays")
            for relay in chosen {
                RelayView(
                    name: relay.name, settings: relay.settings,
                    listeners: (listeners[relay.name] ?? []).map(\.address.description),
                    stats: stats[relay.name] ?? RelayStats(), rate: rates.rate(of: relay.name),
                    recording: recordings[relay.name] ?? RecordingState(relay: relay.name),
                    recentConnects: RelayView.connects(
                        of: stats[relay.name], isConfigured: relay.settings != nil, at: clock)
                ).write(to: &json)
            }
            for relay in elsewhere { json.element(relay) }
            json.endList()
        }
        return .json(json.bytes)
    }

    /// The rates of the last two minutes. 404 for a relay that does not exist.
    func history(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        return .json(HistoryView.history(sampler.history, relay: query.relay, at: .now))
    }

    /// The relays whose connects fail now, in the configuration's order.
    func failingRelays() async -> [(relay: String, connects: RecentConnects.Summary)] {
        let stats = await collector.stats()
        let clock = Collector.clock
        return services.status.now.configuration.relays.compactMap { relay in
            let connects = RelayView.connects(of: stats[relay.name], isConfigured: true, at: clock)
            return connects.isFailing ? (relay.name, connects) : nil
        }
    }

    /// The error for an unknown relay: it names those of the configuration in force. 503 where predecessors that did not
    /// answer may have the relay.
    func noRelay(_ name: String, unless silent: [Predecessors.State] = []) -> AdminError {
        guard silent.isEmpty else { return .predecessorSilent(silent) }
        return Self.noRelay(name, of: services.status.now.configuration.relays.map(\.name))
    }

    static func noRelay(_ name: String, of relays: [String]) -> AdminError {
        let shown = relays.prefix(mostNamed).map(AdminError.clipped).joined(separator: ", ")
        let rest = relays.count > mostNamed ? " and \(relays.count - mostNamed) more" : ""
        let names = relays.isEmpty ? "there are no relays" : "relays: \(shown)\(rest)"
        return .notFound("no relay named \(AdminError.quoted(name)); \(names)")
    }

    /// The most relays that an error names.
    private static let mostNamed = 20

    /// Throws 404 for a relay that is not and was not configured, here or in a predecessor.
    func check(_ query: Query) async throws(AdminError) {
        guard let relay = query.relay, await !hasRelay(relay) else { return }
        switch await services.predecessors.relay(relay) {
        case .found: break
        case .nothing: throw noRelay(relay)
        case .unanswered(let silent): throw noRelay(relay, unless: silent)
        }
    }

    /// Whether a relay is or was configured in this process.
    func hasRelay(_ relay: String) async -> Bool {
        if settings(of: relay) != nil { return true }
        return await collector.stats()[relay] != nil
    }

    func settings(of relay: String) -> RelaySettings? {
        services.status.now.configuration.relays.first { $0.name == relay }
    }

    func recording(
        _ relay: String, _ method: String, _ body: [UInt8], _ requester: Requester
    ) async throws(AdminError) -> Answer {
        guard let settings = settings(of: relay) else { throw noRelay(relay) }
        let relays = services.relays
        let state: RecordingState
        switch method {
        case "POST":
            let wish: RecordSettings
            if let asked = try recordSettings(body, of: settings) ?? settings.record {
                wish = asked
            } else {
                wish = RecordSettings(directory: try folder(settings))
            }
            // It creates a file, and a disk may be slow, so it does not run on this thread.
            let outcome = await Task.detached { () -> Result<RecordingState, RelayService.RecordingRefusal> in
                Result { () throws(RelayService.RecordingRefusal) in try relays.startRecording(relay, wish) }
            }.value
            do { state = try outcome.get() } catch { throw Self.refused(error, relay) }
            await logger.noteChange(
                "recording of \(relay) started through the admin API", by: requester,
                ["relay": "\(relay)", "file": "\(state.file ?? wish.directory)"])
        case "DELETE":
            guard let stopped = await collector.stopRecording(relay) else { throw noRelay(relay) }
            state = stopped
            await logger.noteChange(
                "recording of \(relay) stopped through the admin API", by: requester, ["relay": "\(relay)"])
        default:
            state = await collector.recordings()[relay] ?? RecordingState(relay: relay)
        }
        var json = JSONText()
        RelayView.write(state, to: &json)
        return .json(json.bytes)
    }

    func recordSettings(_ body: [UInt8], of relay: RelaySettings) throws(AdminError) -> RecordSettings? {
        guard body.contains(where: { $0 > 0x20 }) else { return nil }
        let folder = try folder(relay)
        let settings: RecordSettings
        do {
            settings = try RecordSettings.parse(
                body, changing: relay.record ?? RecordSettings(directory: folder),
                directory: services.status.directory)
        } catch {
            throw .badRequest(error.problems.map(\.description).joined(separator: "\n"))
        }
        if settings.includesEncrypted, !relay.hasTLS { throw .badRequest(RecordSettings.nothingEncrypted) }
        // A client may control the relay, but not create files anywhere.
        guard settings.directory == folder else {
            throw AdminError(
                status: 403, code: "forbidden",
                message: "only the configuration file can set `directory`; recordings of this relay go to \(folder)")
        }
        return settings
    }

    /// The folder of a relay's recordings, which a client cannot choose.
    private func folder(_ relay: RelaySettings) throws(AdminError) -> String {
        if let directory = relay.record?.directory { return directory }
        guard !services.status.directory.isEmpty else {
            throw AdminError(
                status: 409, code: "refused",
                message: "relay \(relay.name) has no record.directory, and Tapline's working directory no longer exists"
            )
        }
        return services.status.directory + "/" + RecordSettings.defaultDirectory
    }

    static func refused(_ refusal: RelayService.RecordingRefusal, _ relay: String) -> AdminError {
        let message =
            switch refusal {
            case .unknownRelay: "no relay named \(relay)"
            case .noSettings: "relay \(relay) has no recording settings: add a `record:` section to it"
            case .tooManyLive: "the maximum number of live captures is running; stop one first"
            case .system(let error): error.description
            }
        return AdminError(status: 409, code: "refused", message: message)
    }
}
