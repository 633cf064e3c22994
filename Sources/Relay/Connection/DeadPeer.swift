internal import Sockets

/// Distinguishes a dead peer from one that only does not read.
///
/// Keepalive does not fire while data is unacknowledged, and `TCP_USER_TIMEOUT` also cuts a peer that answers every
/// probe with a closed window, such as a program stopped in a debugger. So the kernel's counters decide.
enum DeadPeer {
    /// Reads a leg's send queue and, only if bytes have waited in it for the limit, its counters. Milliseconds.
    static func isDead(_ leg: Leg, delivered: UInt64, now: UInt64, limit: UInt64) -> Bool {
        guard limit > 0, !leg.isUnix, delivered != leg.deliveredWhenSent else { return false }
        guard leg.unsentBytes > 0 else {
            leg.deliveredWhenSent = delivered
            leg.unacknowledgedSince = 0
            return false
        }
        if leg.unacknowledgedSince == 0 { leg.unacknowledgedSince = now }
        guard hasPassed(limit, since: leg.unacknowledgedSince, now), let info = leg.info else { return false }
        // An acknowledgement since then restarts the wait.
        let sinceAcknowledgement = UInt64(clamping: info.sinceLastAcknowledgement)
        if sinceAcknowledgement < now {
            leg.unacknowledgedSince = max(leg.unacknowledgedSince, now - sinceAcknowledgement)
        }
        return hasPassed(limit, since: leg.unacknowledgedSince, now) && isUnanswered(info)
    }

    private static func hasPassed(_ limit: UInt64, since start: UInt64, _ now: UInt64) -> Bool {
        Monotonic.elapsed(from: start, to: now) >= limit
    }

    /// Whether retransmitted bytes, or three probes of a closed window, were not acknowledged.
    static func isUnanswered(_ info: Socket.Info) -> Bool {
        info.retransmits > 0 || info.probes >= 3
    }
}
