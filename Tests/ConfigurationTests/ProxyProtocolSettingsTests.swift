import Sockets
import Testing

@testable import Configuration

/// `proxy_protocol:` of a relay.
@Suite struct ProxyProtocolSettingsTests {
    private static func network(_ text: String) throws -> Network { try #require(Network(text)) }

    @Test func accept_hasItsTrustedNetworks() throws {
        let text = relay(#"proxy_protocol: { accept: true, trusted: [10.0.0.0/8, "::1"], timeout: 10s, send: v2 }"#)
        let settings = try read(text).relays[0].proxyProtocol
        let trusted = [try Self.network("10.0.0.0/8"), try Self.network("::1")]
        #expect(
            settings == ProxyProtocolSettings(accept: .init(trusted: trusted, timeout: .seconds(10)), send: .v2))
    }

    @Test func defaults_areNothing_andThreeSeconds() throws {
        #expect(try read(relay()).relays[0].proxyProtocol == nil)
        #expect(try read(relay("proxy_protocol: { accept: false }")).relays[0].proxyProtocol == nil)
        let accepting = try read(relay("proxy_protocol: { accept: true, trusted: 10.0.0.1 }")).relays[0].proxyProtocol
        #expect(accepting?.accept?.timeout == .seconds(3) && accepting?.send == nil)
        let sending = try read(relay("proxy_protocol: { send: v1 }")).relays[0].proxyProtocol
        #expect(sending == ProxyProtocolSettings(send: .v1))
    }

    @Test func unixListener_needsNoTrustedNetworks() throws {
        let text = relay(listen: "unix:/run/a\n    proxy_protocol: { accept: true }")
        #expect(try read(text).relays[0].proxyProtocol?.accept?.trusted == [])
    }

    static let mistaken: [Mistaken] = [
        Mistaken(
            relay("proxy_protocol: { accept: true }"),
            "5:31: `accept`: a header can claim any client address, so its senders must be trusted: for programs on "
                + "this machine, add `trusted: [127.0.0.0/8, \"::1\"]`"),
        Mistaken(
            relay(listen: "[unix:/a, \"*:80\"]\n    proxy_protocol: { accept: true }"),
            "4:31: `accept`: a header can claim any client address, so its senders must be trusted: add the load "
                + "balancers, such as `trusted: [10.0.0.0/8]`, or `trusted: "
                + "[127.0.0.0/8, \"::1\"]` for programs on this machine"),
        Mistaken(
            relay("proxy_protocol: { accept: true, trusted: [] }"),
            "5:46: `trusted`: a header can claim any client address, so its senders must be trusted: for programs on "
                + "this machine, add `trusted: [127.0.0.0/8, \"::1\"]`"),
        Mistaken(
            relay("proxy_protocol: { accept: true, trusted: 10.0.0.1/8 }"),
            "5:46: `trusted`: `10.0.0.1/8` is not a network; write 10.0.0.0/8, 2001:db8::/32 or one address, without "
                + "bits beyond the prefix length"),
        Mistaken(
            relay("proxy_protocol: { trusted: 10.0.0.1, timeout: 5s }"),
            "5:32: `trusted`: has no effect without `accept: true`; add that, or remove this",
            "5:51: `timeout`: has no effect without `accept: true`; add that, or remove this"),
        Mistaken(
            relay("proxy_protocol: { accept: true, trusted: 10.0.0.1, timeout: 1s }"),
            "5:65: `timeout`: 1s is too short to retransmit a lost packet; write at least 3s, or 0 for no limit"),
        Mistaken(
            relay("proxy_protocol: {}"),
            "5:21: `proxy_protocol`: has no effect; write `accept: true` with `trusted`, or `send: v1` or `send: v2`"),
        Mistaken(
            relay("proxy_protocol: { send: v3, accept: yes }"),
            "5:29: `send`: `v3` is not one of v1, v2; did you mean `v1`?",
            "5:41: `accept`: `yes` is not one of true, false"),
        Mistaken(
            relay("proxy_protocol: true"),
            "5:21: `proxy_protocol` must be a mapping with the keys `accept`, `trusted`, `timeout`, `send`"),
        Mistaken(
            relay("proxy_protocol: { trust: 10.0.0.1, send: v1 }"), "5:23: unknown key `trust`; did you mean `trusted`?"
        ),
    ]

    @Test(arguments: mistaken) func mistake_isReportedWithItsPlace_andWhatToWrite(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }
}
