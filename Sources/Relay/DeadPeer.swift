internal import Sockets

/// Tells a peer that is gone from one that only does not read.
///
/// Keepalive does not fire while data is unacknowledged, and `TCP_USER_TIMEOUT` also cuts a peer that answers every
/// probe with a closed window: somebody at a breakpoint. So the kernel's own figures are asked.
enum DeadPeer {
    /// Looks at a leg's send queue and, only when bytes have waited in it for the limit, at its figures. Milliseconds.
    static func isDead(_ leg: Leg, delivered: UInt64, now: UInt64, limit: UInt64) -> Bool {
        guard limit > 0, !leg.isUnix, delivered != leg.deliveredWhenSent else { return false }
        guard leg.socket.unsentBytes > 0 else {
            leg.deliveredWhenSent = delivered
            leg.unacknowledgedSince = 0
            return false
        }
        if leg.unacknowledgedSince == 0 { leg.unacknowledgedSince = now }
        guard now &- leg.unacknowledgedSince >= limit, let info = leg.socket.info else { return false }
        // An acknowledgement since then starts the wait anew from there.
        leg.unacknowledgedSince = max(leg.unacknowledgedSince, now &- UInt64(info.sinceLastAcknowledgement))
        return now &- leg.unacknowledgedSince >= limit && isUnanswered(info)
    }

    /// Whether bytes, or three probes of a closed window, were sent again and nobody answered.
    static func isUnanswered(_ info: Socket.Info) -> Bool {
        info.retransmits > 0 || info.probes >= 3
    }
}
