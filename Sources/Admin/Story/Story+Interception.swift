internal import Relay
internal import Sockets

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
