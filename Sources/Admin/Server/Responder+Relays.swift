internal import Configuration
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Relays, and how they are recorded.
extension Responder {
    /// The relays of a query, the configured ones first. 404 for one that does not exist.
    func relays(_ query: Query) async throws(AdminError) -> Answer {
        let (figures, rates) = await collector.figuresWithRates()
        let recordings = await collector.recordings()
        let configured = services.standing.now.configuration.relays
        let listeners = Dictionary(grouping: services.relays.listeners, by: \.relay)
        let removed = Set(figures.keys).subtracting(configured.map(\.name)).sorted()
        let all = configured.map { (name: $0.name, settings: Optional($0)) } + removed.map { (name: $0, settings: nil) }
        let chosen = all.filter { query.relay == nil || $0.name == query.relay }
        if let relay = query.relay, chosen.isEmpty { throw Self.noRelay(relay) }
        var json = JSONText()
        json.object { json in
            json.list("relays", chosen) { json, relay in
                RelayView(
                    name: relay.name, settings: relay.settings,
                    listeners: (listeners[relay.name] ?? []).map(\.address.description),
                    figures: figures[relay.name] ?? RelayFigures(), rate: rates.rate(of: relay.name),
                    recording: recordings[relay.name] ?? RecordingState(relay: relay.name)
                ).write(to: &json)
            }
        }
        return .json(json.bytes)
    }

    static func noRelay(_ name: String) -> AdminError {
        .notFound("there is no relay \(AdminError.quoted(name)); GET /v1/relays names them")
    }

    /// A relay of a query must be one that is configured, or was.
    func check(_ query: Query) async throws(AdminError) {
        guard let relay = query.relay, settings(of: relay) == nil else { return }
        guard await collector.figures()[relay] == nil else { return }
        throw Self.noRelay(relay)
    }

    func settings(of relay: String) -> RelaySettings? {
        services.standing.now.configuration.relays.first { $0.name == relay }
    }

    func recording(_ relay: String, _ method: String, _ body: [UInt8]) async throws(AdminError) -> Answer {
        guard let settings = settings(of: relay) else { throw Self.noRelay(relay) }
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
            // It makes a file, and a disk may take its time: not on this thread.
            let outcome = await Task.detached { () -> Result<RecordingState, RelayService.RecordingRefusal> in
                Result { () throws(RelayService.RecordingRefusal) in try relays.startRecording(relay, wish) }
            }.value
            do { state = try outcome.get() } catch { throw Self.refused(error, relay) }
        case "DELETE":
            guard let stopped = await collector.stopRecording(relay) else { throw Self.noRelay(relay) }
            state = stopped
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
                directory: services.standing.directory)
        } catch {
            throw .badRequest(error.problems.map(\.description).joined(separator: "\n"))
        }
        // The right to control the relay is not the right to make files anywhere.
        guard settings.directory == folder else {
            throw AdminError(
                status: 403, code: "forbidden",
                message: "`directory` is for the configuration file to say; recordings of this relay go to \(folder)")
        }
        return settings
    }

    /// Where a relay is recorded, as far as it is not for the caller to say.
    private func folder(_ relay: RelaySettings) throws(AdminError) -> String {
        if let directory = relay.record?.directory { return directory }
        guard !services.standing.directory.isEmpty else {
            throw AdminError(
                status: 409, code: "refused",
                message: "nothing says where to record \(relay.name), and tapline's working directory is gone")
        }
        return services.standing.directory + "/" + RecordSettings.defaultDirectory
    }

    static func refused(_ refusal: RelayService.RecordingRefusal, _ relay: String) -> AdminError {
        let message =
            switch refusal {
            case .unknownRelay: "there is no relay \(relay)"
            case .noSettings: "nothing says how to record \(relay): give it a `record:` section"
            case .tooManyLive: "as many read along as may; end one of them first"
            case .system(let error): error.description
            }
        return AdminError(status: 409, code: "refused", message: message)
    }
}
