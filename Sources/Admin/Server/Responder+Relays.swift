internal import Configuration
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Relays, and how they are recorded.
extension Responder {
    /// The relays of a query, the configured ones first. 404 for one that nobody knows.
    func relays(_ query: Query) async throws(AdminError) -> Answer {
        let (figures, rates) = await collector.figuresWithRates()
        let recordings = Dictionary(
            await collector.recordings().map { ($0.relay, $0) }, uniquingKeysWith: { _, later in later })
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
        let state: RecordingState
        switch method {
        case "POST":
            guard let start = services.startRecording else { throw .notAvailable("recording") }
            let wish = try recordSettings(body, of: settings)
            do { state = try await start(relay, wish) } catch { throw Self.refused(error) }
        case "DELETE":
            guard let stop = services.stopRecording else { throw .notAvailable("recording") }
            do { state = try await stop(relay) } catch { throw Self.refused(error) }
        default:
            guard services.recordings != nil else { throw .notAvailable("recording") }
            state = await collector.recordings().first { $0.relay == relay } ?? RecordingState(relay: relay)
        }
        var json = JSONText()
        RelayView.write(state, to: &json)
        return .json(json.bytes)
    }

    func recordSettings(_ body: [UInt8], of relay: RelaySettings) throws(AdminError) -> RecordSettings? {
        guard body.contains(where: { $0 > 0x20 }) else { return nil }
        let folder = relay.record?.directory ?? services.standing.directory + "/" + RecordSettings.defaultDirectory
        let settings: RecordSettings
        do {
            settings = try RecordSettings.parse(
                body, changing: relay.record ?? RecordSettings(directory: folder),
                directory: services.standing.directory)
        } catch {
            throw .badRequest(error.problems.map(\.description).joined(separator: "\n"))
        }
        // Whoever may steer the relay may not therefore make files anywhere.
        guard settings.directory == folder else {
            throw AdminError(
                status: 403, code: "forbidden",
                message: "`directory` is for the configuration file to say; recordings of this relay go to \(folder)")
        }
        return settings
    }

    static func refused(_ refusal: RecordingRefusal) -> AdminError {
        AdminError(status: 409, code: "refused", message: refusal.message)
    }
}
