internal import Configuration
internal import Relay
internal import Sockets
internal import Text

extension Story {
    /// The story of an open connection: what has happened, and which side waits for which. `timeouts`: the relay's current
    /// ones.
    static func of(_ live: LiveConnection, timeouts: Timeouts?) -> [String] {
        let record = live.record
        var sentences = [opening(record)]
        sentences += connecting(record)
        sentences += volume(record)
        sentences.append("It has been open for \(text(duration: live.age)).")
        sentences += halves(live)
        if let waits = Waits(live) {
            sentences += waiting(live, waits, timeouts)
        } else {
            sentences.append("Bytes are moving now.")
        }
        sentences += network(live)
        sentences += ahead(live, timeouts)
        sentences += recording(record)
        return sentences
    }

    private static func halves(_ live: LiveConnection) -> [String] {
        guard live.state == .halfClosed else { return [] }
        switch (live.up.hasEnded, live.down.hasEnded) {
        case (true, false): return ["The client has ended its half; what the upstream sends still reaches it."]
        case (false, true): return ["The upstream has ended its half; what the client sends still reaches it."]
        default: return ["Both sides have ended their halves; the last bytes are on their way."]
        }
    }

    private static func waiting(_ live: LiveConnection, _ waits: Waits, _ timeouts: Timeouts?) -> [String] {
        let span = text(milliseconds: waits.milliseconds)
        switch waits.subject {
        case .header:
            return [
                "It waits for the client's PROXY protocol header, for \(span); proxy_protocol.timeout bounds that. The upstream "
                    + "is connected when it is complete."
            ]
        case .hello:
            return [
                "It waits for the client's TLS ClientHello, for \(span); tls_routing.timeout bounds that. Which upstream is "
                    + "connected depends on the server name in it."
            ]
        case .request:
            return [
                "It waits for the client's request for a destination (SOCKS 5 or HTTP CONNECT), for \(span); the limit is "
                    + "requested.timeout."
            ]
        case .name:
            return [
                "It waits for the name service to say what \(live.record.upstream) is, for \(span); "
                    + "timeouts.connect\(now(timeouts?.connect)) bounds that."
            ]
        case .connect:
            return [
                "It waits for \(live.record.upstreamAddress?.description ?? live.record.upstream) to accept, for \(span); "
                    + "timeouts.connect\(now(timeouts?.connect)) bounds that."
            ]
        case .clientReads:
            return [blocked("client", "upstream", live.down, live.client, span)]
        case .upstreamReads:
            return [blocked("upstream", "client", live.up, live.upstream, span)]
        case .bothRead:
            return [
                "Neither side reads: \(bytes(UInt64(live.up.held))) wait for the upstream and "
                    + "\(bytes(UInt64(live.down.held))) for the client, and nothing has moved for \(span). If both write "
                    + "before they read, they wait for each other for ever."
            ]
        case .clientSends:
            return [silence("upstream", "client", live.down.hasEnded, span)]
        case .upstreamSends:
            return [silence("client", "upstream", live.up.hasEnded, span)]
        case .anyoneSends:
            return ["Neither side has sent a byte for \(span): with most protocols the client speaks first."]
        case .recording:
            return [
                "It waits for its recording, which has taken nothing for \(span): record.when_full is block, so it waits "
                    + "rather than have bytes missing in the file. `tapline status` and the log say what is wrong with the "
                    + "file; `tapline connections` shows who else waits."
            ]
        case .sent:
            let (gone, other) = live.client?.hasFailed == true ? ("client", "upstream") : ("upstream", "client")
            return [
                "The \(gone)'s socket has failed; what it sent before is on its way to the \(other), which is reset after "
                    + "that."
            ]
        }
    }

    private static func blocked(
        _ reader: String, _ writer: String, _ flow: LiveConnection.FlowState, _ leg: LiveConnection.LegState?,
        _ span: String
    ) -> String {
        var places: [String] = []
        if flow.held > 0 { places.append("Tapline holds \(bytes(UInt64(flow.held))) for it") }
        if let queue = leg?.kernel?.sendQueue, queue > 0 {
            places.append("\(bytes(UInt64(queue))) in the system's queue are not acknowledged")
        }
        let who =
            "The \(reader) takes nothing: " + places.joined(separator: " and ") + ", and none of it has moved for "
        return who + "\(span). So the \(writer) waits; look at what the \(reader)'s program does."
    }

    private static func silence(_ last: String, _ next: String, _ hasEnded: Bool, _ span: String) -> String {
        let why = hasEnded ? "has ended its half" : "spoke last, and all it said is delivered"
        return "Nothing is on its way: the \(last) \(why), \(span) ago at least. The \(next) is next to say something."
    }

    private static func network(_ live: LiveConnection) -> [String] {
        [("client", live.client), ("upstream", live.upstream)].compactMap { side, leg in
            guard let kernel = leg?.kernel else { return nil }
            if kernel.info.retransmits > 0 {
                return "The \(side)'s machine does not acknowledge: the same bytes were sent again "
                    + "\(kernel.info.retransmits) time\(kernel.info.retransmits == 1 ? "" : "s") in a row."
            }
            guard kernel.info.probes > 0 else { return nil }
            return
                "The \(side)'s machine was probed \(kernel.info.probes) time\(kernel.info.probes == 1 ? "" : "s") without an "
                + "answer."
        }
    }

    /// The next of Tapline's own limits.
    private static func ahead(_ live: LiveConnection, _ timeouts: Timeouts?) -> [String] {
        guard let timeouts, live.state == .open else { return [] }
        var sentences: [String] = []
        let quiet = min(live.up.quiet, live.down.quiet)
        let idle = timeouts.idle.milliseconds
        if idle > 0, quiet >= Waits.threshold {
            let left = idle > quiet ? "in \(text(milliseconds: idle - quiet))" : "at any moment"
            sentences.append("timeouts.idle\(now(timeouts.idle)) ends it \(left), unless a byte passes.")
        }
        let lifetime = timeouts.lifetime.milliseconds
        let age = Milliseconds.of(nanoseconds: live.age)
        if lifetime > 0 {
            let left = lifetime > age ? "in \(text(milliseconds: lifetime - age))" : "at any moment"
            sentences.append("timeouts.lifetime\(now(timeouts.lifetime)) ends it \(left).")
        }
        return sentences
    }
}
