import Testing

@testable import Admin

struct UnknownRelayTests {
    @Test func error_namesTheRelays() {
        #expect(Responder.noRelay("nosuch", of: ["api", "db"]).message == "no relay named `nosuch`; relays: api, db")
        #expect(Responder.noRelay("x", of: []).message == "no relay named `x`; there are no relays")
        let many = Responder.noRelay("x", of: (1...23).map { "r\($0)" }).message
        #expect(many.hasSuffix(", r19, r20 and 3 more"))
    }
}
