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
            for (expiry, effect) in relay.expiriesWithEffects {
                let (left, isEndless) = expiry.seconds.subtractingReportingOverflow(now)
                guard !isEndless, left < Self.expirySeconds else { continue }
                let date = TLSCertificate.date(expiry.seconds)
                warnings.append(
                    Self.place(expiry.place) + "relay \(relay.name): \(expiry.file) "
                        + (left > 0 ? "expires at \(date); from then on " : "expired at \(date): ") + effect)
            }
            for remark in (relay.tls?.loaded?.remarks ?? []) + (relay.upstreamTLS?.loaded?.remarks ?? []) {
                warnings.append(Self.place(remark.place) + "relay \(relay.name): \(remark.file) \(remark.text)")
            }
            return warnings
        }
    }

    private static func place(_ place: String?) -> String { place.map { $0 + ": " } ?? "" }
}
