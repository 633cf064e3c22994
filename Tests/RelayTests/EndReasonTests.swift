import Relay
import Testing

@Suite struct EndReasonTests {
    /// The closed list of reasons: a renamed reason breaks dashboards.
    @Test func reasons_areTheContractsAndNoOthers() {
        let client = ["client_closed", "client_reset", "client_timed_out"]
        let upstream = [
            "upstream_closed", "upstream_reset", "upstream_timed_out", "connect_refused", "upstream_proxy_failed",
        ]
        let tapline = [
            "connect_timeout", "connect_unreachable", "name_not_found", "name_lookup_failed", "no_local_port", "loop",
            "idle_timeout", "half_close_timeout", "lifetime", "killed", "drained", "denied", "proxy_untrusted",
            "proxy_header_invalid", "proxy_header_timeout", "destination_refused", "tls_not_routed",
            "tls_hello_timeout", "request_invalid", "request_timeout", "tls_handshake_failed",
            "tls_certificate_refused", "tls_handshake_timeout", "tls_truncated", "tls_failed", "over_limit",
            "internal_error",
        ]
        func named(_ closedBy: ClosedBy) -> [String] {
            EndReason.allCases.filter { $0.closedBy == closedBy }.map(\.rawValue)
        }
        #expect(Set(named(.client)) == Set(client))
        #expect(Set(named(.upstream)) == Set(upstream))
        #expect(Set(named(.tapline)) == Set(tapline))
        #expect(EndReason.allCases.count == 35)
    }
}
