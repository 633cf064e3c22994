internal import Configuration
internal import Relay
internal import Sockets
internal import Text

/// What happened to a connection, or what it waits for, in sentences with advice. Pure; a table test has every end
/// reason.
enum Story {
    /// The story of an ended connection. `timeouts`: the relay's current ones, which may explain the end; `origin`: where
    /// they come from; `history`: of the upstream's command, if there is one.
    static func of(
        _ record: ConnectionRecord, timeouts: Timeouts?, from origin: StorySettings.Origin = .file,
        handshakes: StorySettings.Handshakes = .init(), command history: CommandHistory? = nil
    ) -> [String] {
        let settings = StorySettings(timeouts: timeouts, handshakes: handshakes, origin: origin)
        var sentences = [opening(record)]
        if let held = held(record, settings) { sentences.append(held) }
        sentences += connecting(record)
        sentences += self.sessions(record, settings)
        sentences += volume(record)
        if let end = record.end {
            let command = command(history, of: record, now: end.time)
            var ending = ending(record, end, settings)
            // The second sentence of a failed connect is what to check in general; here the cause is known.
            if !command.isEmpty, end.reason.isFailedConnect { ending.remove(at: 1) }
            sentences += ending + command
        }
        sentences += recording(record)
        return sentences
    }

    // MARK: Beginning and middle

    static func opening(_ record: ConnectionRecord) -> String {
        var who = record.client.isUnix ? "A client" : "The client \(record.client)"
        if let peer = record.proxiedBy, peer != record.clientText { who += ", through \(peer)," }
        return "\(who) connected to relay \(record.relay) (\(record.listener)) at \(text(record.accepted)). "
            + destination(record)
    }

    /// The upstream, and how the client's TLS ClientHello selected it.
    private static func destination(_ record: ConnectionRecord) -> String {
        if isIntercepted(record) { return "The relay forwards each client to its original destination." }
        if let request = record.request, record.upstream != UpstreamAddress.requested.description {
            let way = request.protocolName.map { " by \($0)" } ?? ""
            let proxy = record.upstreamProxy.map { " Tapline connects to it through the proxy \($0.proxy)." } ?? ""
            return "It requested \(record.upstream)\(way).\(proxy)"
        }
        if record.upstream == UpstreamAddress.requested.description {
            return "The relay connects each client to the destination that the client requests."
        }
        guard let hello = record.hello else { return "Upstream: \(record.upstream)\(proxied(record))." }
        let isRefused = record.end?.reason == .tlsNotRouted
        let route = hello.route.map { ", by the route for \($0)" } ?? ""
        let upstream = isRefused ? "" : " Upstream: \(record.upstream)\(proxied(record))\(route)."
        if let fault = hello.fault { return "Its first data \(fault).\(upstream)" }
        let name = hello.serverName.map { "server name \($0)" } ?? "no server name"
        let applications = hello.applications.map { " and ALPN \($0)" } ?? ""
        return "Its TLS ClientHello has \(name)\(applications).\(upstream)"
    }

    private static func proxied(_ record: ConnectionRecord) -> String {
        record.upstreamProxy.map { ", through the proxy \($0.proxy)" } ?? ""
    }

    /// The connect, if it succeeded; a failed one is part of the end.
    static func connecting(_ record: ConnectionRecord) -> [String] {
        guard let duration = record.connectDuration else { return [] }
        if let proxy = record.upstreamProxy {
            return ["\(record.upstream) accepted through the proxy \(proxy.proxy) \(elapsed(duration))."]
        }
        return ["\(endpoint(record)) accepted \(elapsed(duration))."]
    }

    static func volume(_ record: ConnectionRecord) -> [String] {
        guard record.connectDuration != nil else { return [] }
        guard record.bytesUp > 0 || record.bytesDown > 0 else {
            return ["No bytes were forwarded in either direction."]
        }
        var sentence = "\(bytes(record.bytesUp)) went up and \(bytes(record.bytesDown)) came down"
        if let first = record.firstByteDuration {
            sentence += "; the first byte reached the client \(elapsed(first))"
        }
        return [sentence + "."]
    }

    static func recording(_ record: ConnectionRecord) -> [String] {
        guard let recorded = record.recordedBytes else { return [] }
        let dropped = record.droppedBytes ?? 0
        let loss = dropped > 0 ? "; \(bytes(dropped)) were lost, because the disk or the reader was too slow" : ""
        return ["The recording has \(bytes(recorded))\(loss)."]
    }

    // MARK: Words

    /// The upstream, with the address that was connected or tried if that adds information.
    static func endpoint(_ record: ConnectionRecord) -> String {
        if isIntercepted(record), let destination = record.upstreamAddress {
            return "The original destination \(destination)"
        }
        if let proxy = record.upstreamProxy {
            let address = record.upstreamAddress.map { "\($0)" } ?? proxy.proxy
            return "The upstream proxy \(proxy.proxy)\(address == proxy.proxy ? "" : " (\(address))")"
        }
        guard let address = record.upstreamAddress, address.description != record.upstream else {
            return "The upstream \(record.upstream)"
        }
        return "The upstream \(record.upstream) (\(address))"
    }

    /// Whether its client was redirected, and is forwarded to its original destination.
    static func isIntercepted(_ record: ConnectionRecord) -> Bool {
        record.upstream == UpstreamAddress.originalDestination.description
    }

    /// `1 byte`, `1,234 bytes`.
    static func bytes(_ count: UInt64) -> String { SizeText.sentence(count) }

    /// `after` a duration in nanoseconds, or `within` the shortest.
    static func elapsed(_ nanoseconds: Int64) -> String { DurationText.elapsed(nanoseconds: nanoseconds) }

    /// A duration in nanoseconds, rounded for reading.
    static func text(duration nanoseconds: Int64) -> String { DurationText.sentence(nanoseconds: nanoseconds) }

    /// A duration in milliseconds, as people say it.
    static func text(milliseconds: UInt64) -> String { DurationText.sentence(milliseconds: milliseconds) }

    /// A time.
    static func text(_ nanoseconds: Int64) -> String { "\(Timestamp(nanoseconds: nanoseconds))" }

    /// The current value of a setting, ` (now 5s)`; empty if unknown.
    static func now(_ duration: Duration?) -> String {
        duration.map { $0 == .zero ? " (now off)" : " (now \(DurationText.text(of: $0)))" } ?? ""
    }
}
