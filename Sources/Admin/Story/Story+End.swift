internal import Configuration
internal import Relay
internal import Sockets
internal import Text

extension Story {
    /// Which side ended it, why, when, what the connection was doing, and what to do about it.
    static func ending(_ record: ConnectionRecord, _ end: ConnectionRecord.End, _ settings: StorySettings) -> [String] {
        let timeouts = settings.timeouts
        let when = "\(elapsed(end.duration)), at \(text(end.time))"
        let code = end.errno.map { " (\($0.name))" } ?? ""
        let flows = record.flows.map(FlowsStory.init)
        let facts = flows?.sentences ?? []
        switch end.reason {
        case .clientClosed, .upstreamClosed, .clientReset, .upstreamReset:
            return leaving(record, end.reason, code, when)
        case .clientTimedOut: return silent(.client, record, code, when)
        case .upstreamTimedOut: return silent(.upstream, record, code, when)
        case .idleTimeout:
            let sentence =
                "No byte moved in either direction for \(settings.name(.idle))\(now(timeouts?.idle)), so Tapline reset both sides "
                + "\(when)."
            guard flows?.isBlocked != true else { return [sentence] + facts }
            return [sentence] + facts + [
                "If silence is normal here, \(settings.change("raise", .idle)), or let one of the programs send keepalives."
            ]
        case .halfCloseTimeout:
            return [
                "One side had closed its half, and the other neither sent nor closed for \(settings.name(.halfClose))"
                    + "\(now(timeouts?.halfClose)), so Tapline reset both sides \(when)."
            ] + facts + [
                "One of the programs does not close its socket. If it only needs more time, "
                    + "\(settings.change("raise", .halfClose))."
            ]
        case .lifetime:
            return [
                "It reached \(settings.name(.lifetime))\(now(timeouts?.lifetime)), so Tapline reset both sides \(when)."
            ] + facts
        case .killed:
            return [
                "It was killed through the admin API (`tapline kill \(record.id)`) \(when); both sides were reset."
            ] + facts
        case .drained:
            return [
                "It was still open at the end of the drain, because Tapline stopped or a reload removed its relay; both "
                    + "sides were reset \(when)."
            ] + facts + [drainLength(settings)]
        case .denied:
            return ["The client was not allowed to connect, so Tapline reset it \(when)."]
        case .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout:
            return refusing(record, end.reason, when, settings)
        case .loop where record.refusal == .ownTraffic, .destinationRefused:
            return refusing(record, when, settings)
        case .tlsNotRouted, .tlsHelloTimeout:
            return routing(record, end.reason, when)
        case .requestInvalid, .requestTimeout:
            return requesting(record, end.reason, when, settings)
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout, .tlsTruncated, .tlsFailed:
            // The fault explains the end. Its halves do not: Tapline has cut both flows.
            return sessions(record, end.reason, code, when, settings) + (flows?.backlog ?? [])
        case .upstreamProxyFailed:
            return [
                "\(endpoint(record)) did not connect to \(record.upstream): it \(record.upstreamProxy?.fault ?? "failed")\(code), "
                    + "\(when); the client got no connection.",
                "Check \(settings.name(.upstreamProxy))\(settings.origin == .file ? " of relay \(record.relay)" : ""), and the "
                    + "proxy's own log.",
            ]
        case .connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort,
            .loop, .overLimit, .internalError:
            return failing(record, end.reason, code, endpoint(record), when, settings) + facts
        }
    }

    /// What to change so that Tapline does not connect to itself.
    private static func loopAdvice(_ record: ConnectionRecord, _ settings: StorySettings) -> String {
        if record.upstreamProxy != nil { return "Change \(settings.name(.upstreamProxy))." }
        return settings.origin == .file ? "Change the relay's `upstream`." : "Forward to another destination."
    }

    /// How long a drain takes, and what sets that.
    private static func drainLength(_ settings: StorySettings) -> String {
        switch settings.origin {
        case .file: "The setting shutdown.drain limits how long a drain may take."
        case .commandLine:
            "When `tapline forward` stops, open connections have \(DurationText.text(of: ShutdownSettings.forward.drain)) to finish."
        }
    }

    /// A close or a reset by one of the sides.
    private static func leaving(
        _ record: ConnectionRecord, _ reason: EndReason, _ code: String, _ when: String
    ) -> [String] {
        let wasConnected = record.connectDuration != nil
        let advice = "The program exited, was killed, or reset the connection on purpose. Check its log."
        let unread = record.sessions?.closedUnread.map { [closedUnread($0)] } ?? []
        switch reason {
        case .clientReset where !wasConnected && record.earlyReset != nil: return leavingEarly(record, code, when)
        case .clientReset where !wasConnected:
            return [
                "The client gave up\(code) before Tapline had connected to the upstream, \(when).",
                "The client's timeout may be shorter than the time that the upstream needs to accept.",
            ]
        case .clientReset:
            return ["The client reset the connection\(code) \(when); the reset was passed on to the upstream.", advice]
        case .upstreamReset:
            return ["The upstream reset the connection\(code) \(when); the reset was passed on to the client.", advice]
        case .upstreamClosed:
            return ["The upstream closed first, and the connection shut down cleanly \(when)."] + unread
        default:
            guard !wasConnected else {
                return ["The client closed first, and the connection shut down cleanly \(when)."] + unread
            }
            if let unmet = record.sessions?.unmet { return leaving(unmet, when) }
            return [
                "The client closed the connection before it sent what the relay needs first (a PROXY protocol header or a "
                    + "TLS ClientHello), \(when); Tapline had not connected to an upstream.",
                "Health checks that only open a connection do this.",
            ]
        }
    }

    private static func silent(
        _ side: Side, _ record: ConnectionRecord, _ code: String, _ when: String
    ) -> [String] {
        let facts = FlowsStory.lost(with: side, in: record.flows).map { [$0] } ?? []
        return [
            "The \(side) stopped answering\(code): nothing sent to it was acknowledged, so Tapline gave up \(when); the "
                + "\(side.other) was reset."
        ] + facts + ["Its machine is down, or a device on the way drops the packets."]
    }

    /// Why a client's address or its PROXY header was refused.
    private static func refusing(
        _ record: ConnectionRecord, _ reason: EndReason, _ when: String, _ settings: StorySettings
    ) -> [String] {
        let (accept, trusted) = (settings.name(.acceptProxy), settings.name(.trusted))
        let who = record.client.isUnix ? "The client" : "\(record.client)"
        switch reason {
        case .proxyUntrusted:
            return [
                "Relay \(record.relay) accepts load balancers only (\(accept)), and \(who) is not in \(trusted), so "
                    + "Tapline reset it \(when).",
                "If it is a load balancer, add its address there; ordinary clients have to use a relay without \(accept).",
            ]
        case .proxyHeaderInvalid:
            return [
                "A PROXY protocol header was expected, but the first data \(record.proxy?.fault ?? "is something else"), "
                    + "so Tapline reset the connection \(when).",
                "Configure the sender to send one (HAProxy: send-proxy-v2; nginx: proxy_protocol on), also in its health "
                    + "checks, or remove \(accept).",
            ]
        default:
            return [
                "No complete PROXY protocol header arrived within \(settings.name(.headerTimeout)), so Tapline reset "
                    + "the connection \(when).",
                "The sender does not send one (HAProxy: send-proxy-v2; nginx: proxy_protocol on), or waits for the upstream to "
                    + "send first.",
            ]
        }
    }

    /// Why a relay with TLS routing had no upstream for a client.
    private static func routing(_ record: ConnectionRecord, _ reason: EndReason, _ when: String) -> [String] {
        guard reason == .tlsNotRouted else {
            return [
                "No complete TLS ClientHello arrived within tls_routing.timeout, so Tapline reset the connection \(when).",
                "The client waits for the upstream to send first, as with SMTP or SSH (use a relay without tls_routing), "
                    + "or it opened the connection in advance.",
            ]
        }
        let advice =
            if record.hello?.fault != nil {
                "Routes match a TLS ClientHello, and the client sent none. To accept it, set tls_routing.otherwise to "
                    + "upstream, or use a relay without tls_routing."
            } else if record.hello?.serverName == nil && record.hello?.applications == nil {
                "The ClientHello has nothing that a route can match. Clients send a server name (SNI) when they connect to "
                    + "a name and not to an address. To accept this one, set tls_routing.otherwise to upstream."
            } else {
                "To accept the client, add a route for it, or set tls_routing.otherwise to upstream."
            }
        return [
            "No route of tls_routing matches, and tls_routing.otherwise is refuse, so Tapline reset the connection \(when).",
            advice,
        ]
    }

    /// Why the client's request for a destination was refused.
    private static func requesting(
        _ record: ConnectionRecord, _ reason: EndReason, _ when: String, _ settings: StorySettings
    ) -> [String] {
        guard reason == .requestInvalid else {
            return [
                "The client did not send a complete SOCKS 5 or HTTP CONNECT request within "
                    + "\(settings.name(.requestTimeout)), so Tapline ended the connection \(when).",
                "Check that the client uses this address as a proxy; a client that speaks the destination's protocol "
                    + "directly does not send such a request.",
            ]
        }
        return [
            "The client's request \(record.request?.fault ?? "is invalid"), so Tapline refused it \(when).",
            "Set the client to use this address as a SOCKS 5 proxy without authentication (curl: --socks5-hostname), or as "
                + "an HTTP proxy for CONNECT (curl: --proxytunnel -x http://…).",
        ]
    }

    /// Where a name that does not exist was written.
    private static func source(of record: ConnectionRecord, _ settings: StorySettings) -> String {
        let isFile = settings.origin == .file
        if record.upstreamProxy != nil {
            return "Check \(isFile ? "the relay's `upstream_proxy`" : "--upstream-proxy") for a typo"
        }
        if record.request != nil { return "The client requested that name; check it for a typo" }
        return "Check \(isFile ? "the relay's `upstream`" : "the destination of `tapline forward`") for a typo"
    }

    /// A failed connect, or a limit or fault of Tapline.
    private static func failing(
        _ record: ConnectionRecord, _ reason: EndReason, _ code: String, _ target: String, _ when: String,
        _ settings: StorySettings
    ) -> [String] {
        let port = record.upstreamAddress?.port.map { "sport = :\($0)" } ?? ""
        // The name that was looked up: with an upstream proxy, only the proxy's.
        let dialled = record.upstreamProxy?.proxy ?? record.upstream
        let host = dialled.lastIndex(of: ":").map { String(dialled[..<$0]) } ?? dialled
        let reset =
            record.request?.protocolName == nil ? "; the client was reset" : "; the client got a reply with the cause"
        switch reason {
        case .connectRefused:
            return [
                "\(target) refused the connection\(code) \(when)\(reset).",
                port.isEmpty
                    ? "No program listens on that socket. Check whether it is running."
                    : "No program listens on that port, or a firewall rejects it. Check with `ss -ltn '\(port)'` on that "
                        + "machine.",
            ]
        case .connectTimeout:
            return [
                "\(target) did not answer within \(settings.name(.connect))\(now(settings.timeouts?.connect))\(code); Tapline "
                    + "gave up \(when)\(reset).",
                "The machine is down, the address is wrong, or a firewall drops the packets.",
            ]
        case .connectUnreachable:
            return [
                "\(target) is unreachable\(code), as the system reported \(when)\(reset).",
                "There is no route to it, or this machine has no IPv4 or IPv6 address to reach it with. Check with "
                    + "`ip route get` and the address.",
            ]
        case .nameNotFound:
            return [
                "The name \(host) does not exist; the name service answered \(when)\(reset).",
                source(of: record, settings) + ", and run `getent ahosts \(host)` where Tapline runs.",
            ]
        case .nameLookupFailed:
            return [
                "The name service could not resolve \(host), \(when)\(reset).",
                "The name server in /etc/resolv.conf does not answer, or returns an error.",
            ]
        case .noLocalPort:
            return [
                "Every local port for \(record.upstreamAddress?.description ?? Self.dialled(record)) was in use\(code) "
                    + "\(when)\(reset).",
                "`ss -s` counts them; net.ipv4.ip_local_port_range sets their range.",
            ]
        case .loop:
            return [
                "\(target) is one of Tapline's own listeners, so Tapline would have connected to itself; detected \(when)\(reset).",
                loopAdvice(record, settings),
            ]
        case .overLimit:
            return [
                "A system limit\(code) prevented Tapline from connecting to \(target.lowercasedFirst) \(when)\(reset).",
                "For EMFILE or ENFILE, raise `ulimit -n`; otherwise the system has no memory for sockets.",
            ]
        default:
            return [
                "An internal error in Tapline\(code) ended it \(when); both sides were reset.",
                "The log has an error that names connection \(record.id); please report it.",
            ]
        }
    }
}

extension String {
    /// The form within a sentence.
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

extension Story {
    /// Why a client was not forwarded to its original destination, and what to do about it. `when` is the time.
    static func refusing(_ record: ConnectionRecord, _ when: String, _ settings: StorySettings) -> [String] {
        let destination = record.upstreamAddress.map { "\($0)" } ?? "its destination"
        let relay = "relay \(record.relay) forwards clients to their original destination"
        switch record.refusal {
        case .notRedirected:
            return [
                "The client connected to the listener directly, and \(relay): that would be the listener itself, so Tapline "
                    + "reset the connection \(when).",
                "Clients have to connect to the service, and rules redirect them (examples: config/interception); a health "
                    + "check can use the admin API's /readyz.",
            ]
        case .ownListener:
            return [
                "The client's original destination \(destination) is another of Tapline's own listeners, so Tapline reset "
                    + "the connection \(when).",
                "Exclude that port from the rules, so that clients connect to it directly.",
            ]
        case .notAllowed:
            return [
                "The client's original destination \(destination) is not in \(settings.name(.interceptionAllow)) of relay "
                    + "\(record.relay), so Tapline reset the connection \(when).",
                "The default is everything but loopback. To allow it, \(settings.change("add its network to", .interceptionAllow)); "
                    + "or exclude it from the rules.",
            ]
        case .requestNotAllowed:
            return [
                "The client requested \(record.upstream), which is not in \(settings.name(.requestedAllow)) of relay "
                    + "\(record.relay)\(record.upstreamAddress.map { " (address \($0))" } ?? ""); Tapline refused the request \(when).",
                "If clients may connect to it, \(settings.change("add its name or its network to", .requestedAllow)).",
            ]
        case .ownTraffic:
            return [
                "This is Tapline's own connection to \(destination), redirected back to it; Tapline reset both \(when).",
                "The rules must exclude Tapline's own packets: "
                    + (settings.origin == .file ? "by the mark of interception.mark (meta mark), or " : "")
                    + "by the user that it runs as (meta skuid). config/interception has examples.",
            ]
        case .unknown, nil:
            let code = record.end?.errno.map { " (\($0.name))" } ?? ""
            return [
                "The system does not know the client's original destination\(code), and \(relay), so Tapline reset the "
                    + "connection \(when).",
                "The client connected to the listener directly, or was redirected in a network namespace other than "
                    + "Tapline's: put the rules into Tapline's namespace.",
            ]
        }
    }
}
