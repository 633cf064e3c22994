import TLS

extension Configuration {
    /// A file that expires sooner is a warning: two weeks, seconds.
    private static let expirySeconds: Int64 = 14 * 86_400

    /// What is permitted, and still deserves attention, at a time in seconds since 1970 UTC. Each sentence names its relay.
    public func warnings(at now: Int64) -> [String] {
        relays.flatMap { relay in
            var warnings: [String] = []
            if relay.upstreamTLS?.isVerified == false {
                warnings.append(
                    "relay \(relay.name) does not verify its upstream's certificate: any machine on the way can pretend "
                        + "to be the upstream")
            }
            for expiry in relay.expiries {
                let (left, isEndless) = expiry.seconds.subtractingReportingOverflow(now)
                guard !isEndless, left < Self.expirySeconds else { continue }
                warnings.append(
                    "relay \(relay.name): \(expiry.file) \(left > 0 ? "expires" : "expired") at "
                        + TLSCertificate.date(expiry.seconds))
            }
            return warnings
        }
    }
}
