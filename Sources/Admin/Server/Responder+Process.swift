internal import Configuration
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Requests about the process.
extension Responder {
    func healthz() async throws(AdminError) -> Answer {
        guard await collector.isAlive() else {
            throw .unavailable("unhealthy", "a worker's loop has not answered for two seconds")
        }
        var json = JSONText()
        json.object { json in
            json.add("status", "ok")
            json.add("workers", number: services.relays.workers)
        }
        return .json(json.bytes)
    }

    func readyz() throws(AdminError) -> Answer {
        if services.status.now.isDraining {
            throw .unavailable("draining", "tapline is draining and accepts no more clients")
        }
        let listeners = services.relays.listeners.count
        guard listeners > 0 else { throw .unavailable("not_listening", "nothing is listened on") }
        var json = JSONText()
        json.object { json in
            json.add("status", "ready")
            json.add("listeners", number: listeners)
        }
        return .json(json.bytes)
    }

    func metrics() async -> Answer {
        let stats = await collector.stats()
        let recordings = Array(await collector.recordings().values)
        let facts = services.status.now
        let text = MetricsText.make(
            MetricsInput(
                relays: stats, configured: facts.configuration.relays.map(\.name), recordings: recordings,
                facts: facts, version: services.status.version, started: services.status.started.nanoseconds,
                process: await collector.process()))
        return Answer(type: "text/plain; version=0.0.4; charset=utf-8", content: .whole(text))
    }

    func reload() async throws(AdminError) -> Answer {
        guard let reload = services.reload else {
            throw AdminError(
                status: 409, code: "no_configuration_file",
                message: "tapline was started without a configuration file; there is nothing to reload")
        }
        let report = await reload()
        if report.isStopping { throw .unavailable("draining", "tapline is stopping, and takes no other configuration") }
        if report.isUpgrading { throw .unavailable("upgrading", report.summary) }
        guard report.result == .rejected else { return .json(StatusView.reloadAnswer(report)) }
        return .json(StatusView.rejection(report), status: 422)
    }

    func drain() -> Answer {
        services.drain()
        var json = JSONText()
        json.object { json in
            json.add("draining", true)
            json.add("open_connections", number: services.relays.openConnections)
            json.add("within_ms", number: services.status.now.configuration.shutdown.drain.milliseconds)
        }
        return .json(json.bytes, status: 202)
    }

    func shutdown() async -> Answer {
        let open = services.relays.openConnections
        let isNow = await services.shutdown()
        let drain = services.status.now.configuration.shutdown.drain.milliseconds
        var json = JSONText()
        json.object { json in
            json.add("now", isNow)
            json.add("open_connections", number: open)
            json.add("within_ms", number: isNow ? 0 : drain)
        }
        return .json(json.bytes, status: 202)
    }
}
