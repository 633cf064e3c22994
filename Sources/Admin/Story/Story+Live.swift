internal import Configuration
internal import Relay
internal import Sockets
internal import Text

extension Story {
    /// The story of an open connection: what has happened, and which side waits for which. `timeouts`: the relay's current
    /// ones; `origin`: where they come from; `history`: of the upstream's command, if there is one.
    static func of(
        _ live: LiveConnection, timeouts: Timeouts?, from origin: StorySettings.Origin = .file,
        handshakes: StorySettings.Handshakes = .init(), command history: CommandHistory? = nil
    ) -> [String] {
        let settings = StorySettings(timeouts: timeouts, handshakes: handshakes, origin: origin)
        let record = live.record
        var sentences = [opening(record)]
        // While the client is held, the wait at the end says so.
        if live.wait != .upstreamUp, let held = held(record, settings) { sentences.append(held) }
        sentences += connecting(record)
        sentences += self.sessions(record, settings)
        sentences += volume(record)
        sentences.append("It has been open for \(text(duration: live.age)).")
        sentences += halves(live)
        if let waits = Waits(live) {
            sentences += waiting(live, waits, settings)
        } else {
            sentences.append("Bytes are moving now.")
        }
        if record.hold != nil { sentences += command(history, of: record, now: .max) }
        sentences += network(live)
        sentences += ahead(live, settings)
        sentences += recording(record)
        return sentences
    }

    private static func halves(_ live: LiveConnection) -> [String] {
        guard live.state == .halfClosed else { return [] }
        switch (live.up.hasEnded, live.down.hasEnded) {
        case (true, false): return ["The client has closed its half; the upstream can still send to it."]
        case (false, true): return ["The upstream has closed its half; the client can still send to it."]
        default: return ["Both sides have closed their halves; the last bytes are being delivered."]
        }
    }

    private static func waiting(_ live: LiveConnection, _ waits: Waits, _ settings: StorySettings) -> [String] {
        let timeouts = settings.timeouts
        let connectLimit = "the limit is \(settings.name(.connect))\(now(timeouts?.connect))."
        let span = text(milliseconds: waits.milliseconds)
        switch waits.subject {
        case .header:
            return [
                "It has waited \(span) for the client's PROXY protocol header\(settings.limit(.headerTimeout)). The "
                    + "upstream comes after that."
            ]
        case .hello:
            return [
                "It has waited \(span) for the client's TLS ClientHello; the limit is tls_routing.timeout. The server name "
                    + "in it selects the upstream."
            ]
        case .request:
            return [
                "It has waited \(span) for the client to request a destination (SOCKS 5 or HTTP CONNECT)"
                    + "\(settings.limit(.requestTimeout))."
            ]
        case .clientHandshake:
            return [
                "It has waited \(span) for the client to complete the TLS handshake"
                    + "\(settings.limit(ofHandshakeWith: .client)). The upstream is connected after that."
            ]
        case .upstreamHandshake:
            return [
                "It has waited \(span) for \(live.record.upstream) to complete the TLS handshake"
                    + "\(settings.limit(ofHandshakeWith: .upstream))."
            ]
        case .name:
            let name = live.record.upstreamProxy?.proxy ?? live.record.upstream
            return ["It has waited \(span) for the name service to resolve \(name); \(connectLimit)"]
        case .connect:
            return ["It has waited \(span) for \(answer(live)); \(connectLimit)"]
        case .upstreamUp:
            return [held(live.record, settings)].compactMap(\.self)
        case .clientReads:
            return [blocked("client", "upstream", live.down, span)]
        case .upstreamReads:
            return [blocked("upstream", "client", live.up, span)]
        case .bothRead:
            return [
                "Neither side is reading: \(SizeText.short(UInt64(clamping: live.up.held))) is waiting for the upstream and "
                    + "\(SizeText.short(UInt64(clamping: live.down.held))) for the client, and nothing has moved for "
                    + "\(span). If both programs write before they read, they block each other."
            ]
        case .clientSends:
            return [silence("upstream", "client", live.down.hasEnded, span)]
        case .upstreamSends:
            return [silence("client", "upstream", live.up.hasEnded, span)]
        case .anyoneSends:
            return ["Neither side has sent a byte in \(span); in most protocols the client sends first."]
        case .recording:
            return [
                "It is waiting for its recording, which has accepted nothing for \(span): record.when_full is `block`, so the "
                    + "connection waits instead of losing bytes in the file. `tapline status` and the log show what is wrong "
                    + "with the file; `tapline connections` lists the other waiting connections."
            ]
        case .sent:
            let (gone, other) = live.client?.hasFailed == true ? ("client", "upstream") : ("upstream", "client")
            return [
                "The \(gone)'s socket has failed; what it sent before is being delivered to the \(other), which is then "
                    + "reset."
            ]
        }
    }

    /// The event that ends connecting.
    private static func answer(_ live: LiveConnection) -> String {
        let record = live.record
        let address = record.upstreamAddress?.description
        guard let proxy = record.upstreamProxy?.proxy else { return "\(address ?? record.upstream) to accept" }
        let name = address.map { $0 == proxy ? proxy : "\(proxy) (\($0))" } ?? proxy
        // The proxy is connected, and requests the upstream.
        if live.upstream != nil { return "the upstream proxy \(name) to connect to \(record.upstream)" }
        return "the upstream proxy \(name) to accept"
    }

    private static func blocked(
        _ reader: String, _ writer: String, _ flow: LiveConnection.FlowState, _ span: String
    ) -> String {
        var amounts: [String] = []
        if flow.held > 0 { amounts.append("\(SizeText.short(UInt64(clamping: flow.held))) is waiting in Tapline") }
        if flow.queued > 0 {
            amounts.append("\(SizeText.short(UInt64(clamping: flow.queued))) is unacknowledged in the send queue")
        }
        return "The \(reader) is not reading: " + amounts.joined(separator: " and ")
            + ", and nothing has moved for \(span). The \(writer) has to wait; check the \(reader)'s program."
    }

    private static func silence(_ last: String, _ next: String, _ hasEnded: Bool, _ span: String) -> String {
        let why = hasEnded ? "has closed its half" : "sent last, and everything it sent was delivered"
        return "Nothing is in transit: the \(last) \(why), at least \(span) ago. The \(next) is expected to send next."
    }

    private static func network(_ live: LiveConnection) -> [String] {
        [("client", live.client), ("upstream", live.upstream)].compactMap { side, leg in
            guard let kernel = leg?.kernel else { return nil }
            if kernel.info.retransmits > 0 {
                return "The \(side)'s machine does not acknowledge: the same bytes were retransmitted "
                    + "\(Quantity.number(UInt64(clamping: kernel.info.retransmits), "time")) in a row."
            }
            guard kernel.info.probes > 0 else { return nil }
            return
                "The \(side)'s machine was probed \(Quantity.number(UInt64(clamping: kernel.info.probes), "time")), without "
                + "an answer."
        }
    }

    /// The next of Tapline's own limits.
    private static func ahead(_ live: LiveConnection, _ settings: StorySettings) -> [String] {
        guard let timeouts = settings.timeouts, live.state == .open else { return [] }
        var sentences: [String] = []
        let quiet = min(live.up.quiet, live.down.quiet)
        let idle = timeouts.idle.milliseconds
        if idle > 0, quiet >= Waits.threshold {
            let left = idle > quiet ? "in \(text(milliseconds: idle - quiet))" : "at any moment"
            sentences.append("\(settings.name(.idle))\(now(timeouts.idle)) ends it \(left), unless a byte moves.")
        }
        let lifetime = timeouts.lifetime.milliseconds
        let age = Milliseconds.of(nanoseconds: live.age)
        if lifetime > 0 {
            let left = lifetime > age ? "in \(text(milliseconds: lifetime - age))" : "at any moment"
            sentences.append("\(settings.name(.lifetime))\(now(timeouts.lifetime)) ends it \(left).")
        }
        return sentences
    }
}
