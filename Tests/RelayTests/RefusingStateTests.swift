import Glibc
import Recording
import Sockets
import Testing

@testable import Relay

/// A connection whose client expects a reply to its request for a destination.
@Suite struct RefusingStateTests {
    typealias Event = ConnectionState.Event
    typealias Action = ConnectionState.Action

    private static let gone = Errno(ECONNRESET)

    /// A state in each phase before bytes flow.
    private static func states() -> [ConnectionState] {
        var states: [ConnectionState] = []
        for events in [[], [.prepared], [.prepared, .connected(failed: false)]] as [[Event]] {
            var state = ConnectionState(prepares: true, greets: true)
            state.isReplyDue = true
            for event in events { _ = state.handle(event) }
            states.append(state)
        }
        return states
    }

    @Test(
        arguments: [
            (.connectFailed(.connectRefused, Errno(ECONNREFUSED)), .connectRefused, Errno(ECONNREFUSED)),
            (.connectFailed(.destinationRefused, nil), .destinationRefused, nil),
            (.decided(.requestInvalid), .requestInvalid, nil),
            (.decided(.requestTimeout), .requestTimeout, nil), (.decided(.connectTimeout), .connectTimeout, nil),
            (.legFailed(.upstream, gone), .upstreamReset, gone),
        ] as [(Event, EndReason, Errno?)])
    func failure_isRepliedTo_andThenTheConnectionEndsInOrder(_ event: Event, _ reason: EndReason, _ errno: Errno?) {
        for var state in Self.states() {
            #expect(state.handle(event) == .refuse(reason, errno))
            #expect(state.phase == .refusing && state.isStaging && !state.isMoving && state.stagesDone == .refused)
            #expect(state.handle(.legFailed(.upstream, Self.gone)) == .none)
            #expect(state.handle(.refused) == .end(reset: false, reason, errno))
            #expect(state.phase == .ended)
        }
    }

    @Test(
        arguments: [.legFailed(.client, gone), .decided(.killed), .decided(.lifetime), .watchRefused(gone)] as [Event])
    func whatEndsARefusal_keepsTheFirstReason(_ event: Event) {
        for var state in Self.states() {
            _ = state.handle(.connectFailed(.connectRefused, Errno(ECONNREFUSED)))
            #expect(state.handle(event) == .end(reset: true, .connectRefused, Errno(ECONNREFUSED)))
        }
    }

    @Test(
        arguments: [
            (.decided(.killed), .end(reset: true, .killed, nil)),
            (.decided(.drained), .end(reset: true, .drained, nil)),
            (.decided(.lifetime), .end(reset: true, .lifetime, nil)),
            (.legFailed(.client, gone), .end(reset: true, .clientReset, gone)),
        ] as [(Event, Action)])
    func endAtOnce_isNotRepliedTo(_ event: Event, _ action: Action) {
        for var state in Self.states() { #expect(state.handle(event) == action) }
    }

    @Test func failure_afterTheReply_isNotRepliedTo() throws {
        var state = try #require(Self.states().last)
        state.isReplyDue = false
        #expect(state.handle(.decided(.connectTimeout)) == .end(reset: true, .connectTimeout, nil))
    }

    /// Every reason of which a client may get a reply has one in both protocols.
    @Test func reasonsWithAReply_areThoseBeforeBytesFlow() {
        let without: Set<EndReason> = [
            .clientClosed, .clientReset, .clientTimedOut, .idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained,
            .denied, .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout, .tlsNotRouted, .tlsHelloTimeout,
            .tlsTruncated, .tlsFailed,
        ]
        #expect(Set(EndReason.allCases.filter { !$0.hasReply }) == without)
    }
}
