import Sockets
import Testing

@testable import Relay

@Suite struct SystemFactsTests {
    @Test(
        arguments: [
            ("cubic", ["reno", "cubic"], nil), ("reno", ["reno"], nil), ("bbr", ["reno", "cubic", "bbr"], "cubic"),
            ("bbr", ["reno", "bbr"], "reno"), ("bbr2", [], "reno"), ("dctcp", ["reno", "dctcp"], nil),
        ] as [(String, [String], String?)])
    func congestionControl_onlyOneThatPaces_isReplaced(current: String, allowed: [String], chosen: String?) {
        #expect(SystemFacts.nonPacing(current: current, allowed: allowed) == chosen)
    }

    @Test func ports_ofTheEphemeralRange_mayBeOurOwn() {
        let facts = SystemFacts(loopbackCongestionControl: nil, ephemeralPorts: 32768...60999)
        #expect(facts.mayBeOwnPort(.ipv4(.loopback, port: 32768)))
        #expect(facts.mayBeOwnPort(.ipv6(.loopback, port: 60999)))
        #expect(!facts.mayBeOwnPort(.ipv4(.loopback, port: 32767)))
        #expect(!facts.mayBeOwnPort(.unix(path: "/a")))
    }

    @Test func facts_ofThisSystem_areRead() {
        let facts = SystemFacts.read()
        #expect(facts.ephemeralPorts.count > 1)
    }
}
