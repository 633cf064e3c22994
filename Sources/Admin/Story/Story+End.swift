internal import Configuration
internal import Relay
internal import Sockets

extension Story {
    /// Which side ended it, why, when, what the connection was doing, and what to do about it.
    static func ending(_ record: ConnectionRecord, _ end: ConnectionRecord.End, _ timeouts: Timeouts?) -> [String] {
        let when = "after \(text(duration: end.duration)), at \(text(end.time))"
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
                "No byte moved in either direction for timeouts.idle\(now(timeouts?.idle)), so Tapline reset both sides "
                + "\(when)."
            guard flows?.isBlocked != true else { return [sentence] + facts }
            return [sentence] + facts + [
                "If silence is normal here, raise timeouts.idle, or let one of the programs send keepalives."
            ]
        case .halfCloseTimeout:
            return [
                "One side had closed its half, and the other neither sent nor closed for timeouts.half_close"
                    + "\(now(timeouts?.halfClose)), so Tapline reset both sides \(when)."
            ] + facts + [
                "One of the programs does not close its socket. If it only needs more time, raise timeouts.half_close."
            ]
        case .lifetime:
            return [
                "It reached timeouts.lifetime\(now(timeouts?.lifetime)), so Tapline reset both sides \(when)."
            ] + facts
        case .killed:
            return [
                "It was killed through the admin API (`tapline kill \(record.id)`) \(when); both sides were reset."
            ] + facts
        case .drained:
            return [
                "It was still open at the end of the drain, because Tapline stopped or a reload removed its relay; both "
                    + "sides were reset \(when)."
            ] + facts + ["The length of a drain is the setting shutdown.drain."]
        case .denied:
            return ["The client was not allowed, so Tapline reset it \(when)."]
        case .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout:
            return refusing(record, end.reason, when)
        case .loop where record.refusal == .ownTraffic, .destinationRefused:
            return refusing(record, when)
        case .tlsNotRouted, .tlsHelloTimeout:
            return routing(record, end.reason, when)
        case .requestInvalid, .requestTimeout:
            return requesting(record, end.reason, when)
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout, .tlsTruncated, .tlsFailed:
            return sessions(record, end.reason, code, when) + facts
        case .upstreamProxyFailed:
            return [
                "\(endpoint(record)) did not connect to \(record.upstream): it \(record.upstreamProxy?.fault ?? "failed")\(code), "
                    + "\(when); the client got no connection.",
                "Check upstream_proxy of relay \(record.relay), and the proxy's own log.",
            ]
        case .connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort,
            .loop, .overLimit, .internalError:
            return failing(record, end.reason, code, endpoint(record), when, timeouts)
                + [heldInVain(record, end, timeouts)].compactMap(\.self) + facts
        }
    }

    /// A close or a reset by one of the sides.
    private static func leaving(
        _ record: ConnectionRecord, _ reason: EndReason, _ code: String, _ when: String
    ) -> [String] {
        let wasConnected = record.connectDuration != nil
        let advice = "The program exited, was killed, or reset the connection on purpose. Check its log."
        switch reason {
        case .clientReset where !wasConnected:
            return [
                "The client gave up\(code) before the upstream was connected, \(when).",
                "The client's timeout may be shorter than the upstream's answer takes.",
            ]
        case .clientReset:
            return ["The client reset the connection\(code) \(when); the reset was passed on to the upstream.", advice]
        case .upstreamReset:
            return ["The upstream reset the connection\(code) \(when); the reset was passed on to the client.", advice]
        case .upstreamClosed:
            return ["The upstream closed first, and the connection shut down cleanly \(when)."]
        default:
            guard !wasConnected else {
                return ["The client closed first, and the connection shut down cleanly \(when)."]
            }
            return [
                "The client closed the connection before it sent what the relay needs first (a PROXY protocol header or a "
                    + "TLS ClientHello), \(when); no upstream was connected.",
                "Health checks that only open a connection do this.",
            ]
        }
    }

    private static func silent(
        _ side: Side, _ record: ConnectionRecord, _ code: String, _ when: String
    ) -> [String] {
        let facts = FlowsStory.lost(with: side, in: record.flows).map { [$0] } ?? []
        return [
            "The \(side) stopped answering\(code): nothing sent to it was acknowledged, so it was given up \(when); the "
                + "\(side.other) was reset."
        ] + facts + ["Its machine is down, or something between drops the packets."]
    }

    /// Why a client's address or its PROXY header was refused.
    private static func refusing(_ record: ConnectionRecord, _ reason: EndReason, _ when: String) -> [String] {
        let who = record.client.isUnix ? "The client" : "\(record.client)"
        switch reason {
        case .proxyUntrusted:
            return [
                "Relay \(record.relay) accepts load balancers only (proxy_protocol.accept), and \(who) is not in "
                    + "proxy_protocol.trusted, so Tapline reset it \(when).",
                "If it is a load balancer, add its address there; a client has to connect to a relay without "
                    + "proxy_protocol.accept.",
            ]
        case .proxyHeaderInvalid:
            return [
                "A PROXY protocol header was expected, but the first data \(record.proxy?.fault ?? "is something else"), "
                    + "so Tapline reset the connection \(when).",
                "Configure the sender to send one (HAProxy: send-proxy-v2; nginx: proxy_protocol on), also in its health "
                    + "checks, or remove proxy_protocol.accept from the relay.",
            ]
        default:
            return [
                "No complete PROXY protocol header arrived within proxy_protocol.timeout, so Tapline reset the connection "
                    + "\(when).",
                "The sender sends none (HAProxy: send-proxy-v2; nginx: proxy_protocol on), or waits for the upstream to "
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
    private static func requesting(_ record: ConnectionRecord, _ reason: EndReason, _ when: String) -> [String] {
        guard reason == .requestInvalid else {
            return [
                "The client did not send a complete SOCKS 5 or HTTP CONNECT request within requested.timeout, so Tapline "
                    + "ended the connection \(when).",
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

    /// A failed connect, or a limit or fault of Tapline.
    private static func failing(
        _ record: ConnectionRecord, _ reason: EndReason, _ code: String, _ target: String, _ when: String,
        _ timeouts: Timeouts?
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
                "\(target) did not answer within timeouts.connect\(now(timeouts?.connect))\(code); Tapline gave up \(when)"
                    + "\(reset).",
                "The machine is down, the address is wrong, or a firewall drops the packets.",
            ]
        case .connectUnreachable:
            return [
                "\(target) is unreachable\(code), as the system reported \(when)\(reset).",
                "There is no route to it, or this machine has no address of that family. Check with `ip route get` and the "
                    + "address.",
            ]
        case .nameNotFound:
            return [
                "The name \(host) does not exist; the name service answered \(when)\(reset).",
                (record.upstreamProxy != nil
                    ? "Check the relay's `upstream_proxy` for a typo"
                    : record.request != nil
                        ? "The client requested that name; check it for a typo"
                        : "Check the relay's `upstream` for a typo")
                    + ", and run `getent ahosts \(host)` where Tapline runs.",
            ]
        case .nameLookupFailed:
            return [
                "The name service could not resolve \(host), \(when)\(reset).",
                "The name server in /etc/resolv.conf does not answer, or reports an error.",
            ]
        case .noLocalPort:
            return [
                "Every local port for \(record.upstreamAddress?.description ?? record.upstream) was in use\(code) "
                    + "\(when)\(reset).",
                "`ss -s` counts them; net.ipv4.ip_local_port_range sets their range.",
            ]
        case .loop:
            return [
                "\(target) is one of Tapline's own listeners, so it would have connected to itself; found \(when)\(reset).",
                "Change the relay's `upstream`.",
            ]
        case .overLimit:
            return [
                "A system limit\(code) prevented the connect to \(target.lowercasedFirst) \(when)\(reset).",
                "For EMFILE or ENFILE, raise `ulimit -n`; otherwise the system has no memory for sockets.",
            ]
        default:
            return [
                "An internal error of Tapline\(code) ended it \(when); both sides were reset.",
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
    static func refusing(_ record: ConnectionRecord, _ when: String) -> [String] {
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
                "Exclude that port from the rules: clients then connect to it directly.",
            ]
        case .notAllowed:
            return [
                "The client's original destination \(destination) is not in interception.allow of relay \(record.relay), so "
                    + "Tapline reset the connection \(when).",
                "Add its network there (the default is everything but loopback), or exclude it from the rules.",
            ]
        case .requestNotAllowed:
            return [
                "The client requested \(record.upstream), and requested.allow of relay \(record.relay) does not allow it"
                    + "\(record.upstreamAddress.map { " (address \($0))" } ?? ""); Tapline refused the request \(when).",
                "If clients may connect to it, add its name or its network to requested.allow.",
            ]
        case .ownTraffic:
            return [
                "This is Tapline's own connection to \(destination), redirected back to it; Tapline reset both \(when).",
                "The rules must exclude Tapline's own packets: by the mark of interception.mark (meta mark), or by the user "
                    + "that it runs as (meta skuid). config/interception has both.",
            ]
        case .unknown, nil:
            let code = record.end?.errno.map { " (\($0.name))" } ?? ""
            return [
                "The system does not know the client's original destination\(code), and \(relay), so Tapline reset the "
                    + "connection \(when).",
                "The client connected to the listener directly, or was redirected in another network namespace than "
                    + "Tapline's: put the rules into Tapline's namespace.",
            ]
        }
    }
}
