internal import Configuration
internal import Relay
internal import Sockets

extension Story {
    /// Which side ended it, why, when, and what to do about it.
    static func ending(_ record: ConnectionRecord, _ end: ConnectionRecord.End, _ timeouts: Timeouts?) -> [String] {
        let when = "after \(text(duration: end.duration)), at \(text(end.time))"
        let code = end.errno.map { " (\($0.name))" } ?? ""
        let target = endpoint(record)
        let wasConnected = record.connectDuration != nil
        switch end.reason {
        case .clientClosed:
            guard wasConnected else {
                return [
                    "The client ended its half before it had said what the relay must know first (a PROXY protocol header, "
                        + "a TLS ClientHello), \(when); no upstream was connected.",
                    "So do health checks that only look whether a connection is accepted.",
                ]
            }
            return ["The client ended its half first and both halves ended in order, \(when)."]
        case .upstreamClosed:
            return ["The upstream ended its half first and both halves ended in order, \(when)."]
        case .clientReset:
            guard wasConnected else {
                return [
                    "The client gave up\(code) before the upstream was connected, \(when).",
                    "Its own timeout may be shorter than the upstream takes to answer.",
                ]
            }
            return [
                "The client reset the connection\(code) \(when), and the reset was passed on to the upstream.",
                "Its program ended without reading all, was killed, or wanted it so: look into the client's own log.",
            ]
        case .upstreamReset:
            return [
                "The upstream reset the connection\(code) \(when), and the reset was passed on to the client.",
                "Its program ended without reading all, was killed, or wanted it so: look into the upstream's own log.",
            ]
        case .clientTimedOut:
            return [silent("client", code, when), "Its machine is gone, or something between cuts the way to it."]
        case .upstreamTimedOut:
            return [silent("upstream", code, when), "Its machine is gone, or something between cuts the way to it."]
        case .idleTimeout:
            return [
                "No byte passed either way for timeouts.idle\(now(timeouts?.idle)), so Tapline reset both sides \(when).",
                "If silence is usual here, raise timeouts.idle, or let one of the programs send a keepalive of its own.",
            ]
        case .halfCloseTimeout:
            return [
                "One side had ended its half, and the other neither sent nor ended for timeouts.half_close"
                    + "\(now(timeouts?.halfClose)), so Tapline reset both sides \(when).",
                "One of the programs does not close its socket; if it only takes long, raise timeouts.half_close.",
            ]
        case .lifetime:
            return ["It reached timeouts.lifetime\(now(timeouts?.lifetime)), so Tapline reset both sides \(when)."]
        case .killed:
            return [
                "It was ended through the admin API (tapline kill \(record.id)) \(when); both sides were reset."
            ]
        case .drained:
            return [
                "It was still open when the time for draining was over, for Tapline stopped or its relay was taken out of "
                    + "the configuration; both sides were reset \(when).",
                "How long that time is stands in shutdown.drain.",
            ]
        case .denied:
            return ["It was not allowed, so Tapline reset it \(when)."]
        case .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout:
            return refusing(record, end.reason, when)
        case .loop where record.refusal == .ownTraffic, .destinationRefused:
            return refusing(record, when)
        case .tlsNotRouted, .tlsHelloTimeout:
            return routing(record, end.reason, when)
        case .requestInvalid, .requestTimeout:
            return requesting(record, end.reason, when)
        case .upstreamProxyFailed:
            return [
                "\(target) did not connect to \(record.upstream): it \(record.upstreamProxy?.fault ?? "failed")\(code), "
                    + "\(when); the client got no connection.",
                "Check upstream_proxy of relay \(record.relay), and the proxy's own log.",
            ]
        case .connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort,
            .loop, .overLimit, .internalError:
            return failing(record, end.reason, "\(code)", target, when, timeouts)
        }
    }

    private static func silent(_ side: String, _ code: String, _ when: String) -> String {
        "The \(side) stopped answering\(code): what was sent to it went unacknowledged until it counted as gone, \(when); "
            + "the other side was reset."
    }

    /// Why a client's address or its PROXY header was refused.
    private static func refusing(_ record: ConnectionRecord, _ reason: EndReason, _ when: String) -> [String] {
        let who = record.client.isUnix ? "The client" : "\(record.client)"
        switch reason {
        case .proxyUntrusted:
            return [
                "Relay \(record.relay) takes connections from load balancers only (proxy_protocol.accept), and \(who) is "
                    + "not in proxy_protocol.trusted, so Tapline reset it \(when).",
                "If it is a load balancer, add its address there; if it is a client, let it connect to a relay without "
                    + "proxy_protocol.accept.",
            ]
        case .proxyHeaderInvalid:
            return [
                "Where a PROXY protocol header was to be, what came first \(record.proxy?.fault ?? "is something else"); "
                    + "Tapline reset it \(when).",
                "Let the sender send one (HAProxy: send-proxy-v2; nginx: proxy_protocol on), also in its health checks, or "
                    + "take proxy_protocol.accept out of the relay.",
            ]
        default:
            return [
                "No whole PROXY protocol header came within proxy_protocol.timeout, so Tapline reset it \(when).",
                "The sender sends none (HAProxy: send-proxy-v2; nginx: proxy_protocol on), or waits for the upstream to "
                    + "speak first.",
            ]
        }
    }

    /// Why a relay with TLS routing had no upstream for a client.
    private static func routing(_ record: ConnectionRecord, _ reason: EndReason, _ when: String) -> [String] {
        guard reason == .tlsNotRouted else {
            return [
                "No whole TLS ClientHello came within tls_routing.timeout, so Tapline reset it \(when).",
                "The client waits for the upstream to speak first, as with SMTP or SSH (a relay without tls_routing does not "
                    + "wait), or only holds a connection ready.",
            ]
        }
        let advice =
            if record.hello?.fault != nil {
                "Routes go by what a ClientHello asks for, and here is none to go by. If the client is to be let in all the "
                    + "same, let tls_routing.otherwise be upstream, or give it a relay without tls_routing."
            } else if record.hello?.serverName == nil && record.hello?.applications == nil {
                "It names nothing that a route could take. If the client is to be let in, let it send a server name (SNI), "
                    + "which it does when it connects to a name and not to an address, or let tls_routing.otherwise be "
                    + "upstream."
            } else {
                "If the client is to be let in, add a route for it, or let tls_routing.otherwise be upstream."
            }
        return [
            "No route of tls_routing takes that, and tls_routing.otherwise is refuse, so Tapline reset it \(when).",
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
        let host = record.upstream.split(separator: ":").first.map(String.init) ?? record.upstream
        let reset = "; the client was reset"
        switch reason {
        case .connectRefused:
            return [
                "\(target) refused the connection\(code) \(when)\(reset).",
                port.isEmpty
                    ? "No program listens on that socket: see whether it runs."
                    : "No program listens on that port there, or a firewall rejects it: `ss -ltn '\(port)'` on that machine "
                        + "tells.",
            ]
        case .connectTimeout:
            return [
                "\(target) did not answer within timeouts.connect\(now(timeouts?.connect))\(code); Tapline gave up \(when)"
                    + "\(reset).",
                "The machine is down, its address is another one, or a firewall drops what is sent to it.",
            ]
        case .connectUnreachable:
            return [
                "\(target) cannot be reached from here\(code); that was known \(when)\(reset).",
                "There is no route, or no address of that kind on this machine: `ip route get` with its address tells.",
            ]
        case .nameNotFound:
            return [
                "The name \(host) does not exist, said the name service \(when)\(reset).",
                "Look for a slip in the relay's upstream, and try `getent ahosts \(host)` where Tapline runs.",
            ]
        case .nameLookupFailed:
            return [
                "The name service could not say what \(host) is, \(when)\(reset).",
                "The name server does not answer or has a fault: /etc/resolv.conf names it.",
            ]
        case .noLocalPort:
            return [
                "Every local port for \(record.upstreamAddress?.description ?? record.upstream) is taken\(code), which was "
                    + "found \(when)\(reset).",
                "`ss -s` counts them; net.ipv4.ip_local_port_range sets how many there are.",
            ]
        case .loop:
            return [
                "\(target) is one of Tapline's own listeners: it would have been connected to itself, \(when)\(reset).",
                "Let the relay forward elsewhere.",
            ]
        case .overLimit:
            return [
                "A limit of the system\(code) kept Tapline from connecting \(target.lowercasedFirst) \(when)\(reset).",
                "With EMFILE or ENFILE raise `ulimit -n`; else memory for sockets is short.",
            ]
        default:
            return [
                "Something went wrong inside Tapline\(code) \(when); both sides were reset.",
                "The log has an error with connection \(record.id) in it; please report it.",
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
        let relay = "relay \(record.relay) takes clients to where they wanted to go"
        switch record.refusal {
        case .notRedirected:
            return [
                "The client came straight to the listener, and \(relay): that would be to itself, so Tapline reset it \(when).",
                "Clients are to connect to the service itself, and rules redirect them (config/interception has some); a "
                    + "health check can ask the admin API's /readyz.",
            ]
        case .ownListener:
            return [
                "The client wanted to go to \(destination), which is another of Tapline's own listeners; Tapline reset it "
                    + "\(when).",
                "Let the rules leave that port out: the connection then gets there by itself.",
            ]
        case .notAllowed:
            return [
                "The client wanted to go to \(destination), which interception.allow of relay \(record.relay) does not have; "
                    + "Tapline reset it \(when).",
                "Add its network there (without interception.allow it is everything but loopback), or let the rules leave "
                    + "it out.",
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
                "The rules must leave out what Tapline sends: by the mark of interception.mark (meta mark), or by the user "
                    + "that it runs as (meta skuid). config/interception has both.",
            ]
        case .unknown, nil:
            let code = record.end?.errno.map { " (\($0.name))" } ?? ""
            return [
                "Where the client wanted to go is not known to the system\(code), and \(relay); Tapline reset it \(when).",
                "It came straight to the listener, or was redirected in another network namespace than the one that Tapline "
                    + "runs in, which has no record of it: put the rules where Tapline is.",
            ]
        }
    }
}
