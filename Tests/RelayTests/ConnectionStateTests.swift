import Glibc
import Recording
import Sockets
import Testing

@testable import Relay

/// The reaction of a connection in each phase to each event. An event that cannot occur in a phase traps there, and is
/// in no table.
@Suite struct ConnectionStateTests {
    typealias Event = ConnectionState.Event
    typealias Action = ConnectionState.Action

    static let gone = Errno(ECONNRESET)
    static let silent = Errno(ETIMEDOUT)
    static let full = Errno(ENOSPC)

    /// A phase, identified by the events that lead to it.
    struct Row: CustomTestStringConvertible, Sendable {
        var situation: String
        var before: [Event]
        var event: Event
        var action: Action
        var testDescription: String { "\(situation): \(event)" }

        init(_ situation: String, _ before: [Event], _ event: Event, _ action: Action) {
            self.situation = situation
            self.before = before
            self.event = event
            self.action = action
        }
    }

    static let relaying: [Event] = [.connected(failed: false)]
    static let clientEnding = relaying + [.sourceEnded(.up)]
    static let clientEnded = clientEnding + [.delivered(.up)]
    static let upstreamEnded = relaying + [.sourceEnded(.down), .delivered(.down)]
    static let bothEnding = clientEnding + [.sourceEnded(.down)]
    static let clientFailed = relaying + [.legFailed(.client, gone)]
    static let upstreamFailed = relaying + [.legFailed(.upstream, gone)]
    static let passingClientReset = clientFailed + [.delivered(.up)]
    static let passingUpstreamReset = upstreamFailed + [.delivered(.down)]
    static let over = clientEnded + [.sourceEnded(.down), .delivered(.down)]

    static let connecting: [Row] = [
        Row("connecting", [], .connected(failed: false), .relay),
        Row(
            "connecting", [], .connectFailed(.connectRefused, Errno(ECONNREFUSED)),
            .end(reset: true, .connectRefused, Errno(ECONNREFUSED))),
        Row("connecting", [], .connectFailed(.nameNotFound, nil), .end(reset: true, .nameNotFound, nil)),
        Row("connecting", [], .legFailed(.client, gone), .end(reset: true, .clientReset, gone)),
        Row("connecting", [], .legFailed(.client, silent), .end(reset: true, .clientTimedOut, silent)),
        Row("connecting", [], .decided(.connectTimeout), .end(reset: true, .connectTimeout, nil)),
        Row("connecting", [], .decided(.killed), .end(reset: true, .killed, nil)),
        Row("connecting", [], .watchRefused(full), .end(reset: true, .internalError, full)),
    ]

    static let orderly: [Row] = [
        Row("relaying", relaying, .sourceEnded(.up), .none),
        Row("relaying", relaying, .sourceEnded(.down), .none),
        Row("relaying", relaying, .resetMayPass, .none),
        Row("relaying", relaying, .decided(.idleTimeout), .end(reset: true, .idleTimeout, nil)),
        Row("relaying", relaying, .watchRefused(full), .end(reset: true, .internalError, full)),
        Row("client failed", clientFailed, .watchRefused(full), .end(reset: true, .clientReset, gone)),
        Row("kernel accepted nothing", relaying, .legFailed(.client, Errno(EIO)), .drain(from: .client)),
        Row(
            "kernel accepted nothing", relaying + [.legFailed(.client, Errno(EIO)), .delivered(.up)], .resetMayPass,
            .end(reset: true, .internalError, Errno(EIO))),
        Row(
            "upstream ended, client closed with the end of TLS unread",
            upstreamEnded + [.legFailed(.client, gone), .delivered(.up)], .closedUnread,
            .end(reset: false, .upstreamClosed, nil)),
        Row(
            "client ended and closed with a ticket unread", clientEnded + [.legFailed(.client, gone)], .closedUnread,
            .end(reset: false, .clientClosed, nil)),
        Row("client ending", clientEnding, .sourceEnded(.up), .none),
        Row("client ending", clientEnding, .delivered(.up), .endWriting(.upstream)),
        Row("client ending", clientEnding, .sourceEnded(.down), .none),
        Row("client ending", clientEnding, .decided(.drained), .end(reset: true, .drained, nil)),
        Row("client ended", clientEnded, .sourceEnded(.down), .none),
        Row(
            "client ended, upstream ending", clientEnded + [.sourceEnded(.down)], .delivered(.down),
            .end(reset: false, .clientClosed, nil)),
        Row("client ended", clientEnded, .decided(.halfCloseTimeout), .end(reset: true, .halfCloseTimeout, nil)),
        Row("upstream ended", upstreamEnded, .sourceEnded(.up), .none),
        Row(
            "upstream ended, client ending", upstreamEnded + [.sourceEnded(.up)], .delivered(.up),
            .end(reset: false, .upstreamClosed, nil)),
        Row("both ending, client first", bothEnding, .delivered(.up), .endWriting(.upstream)),
        Row("both ending, client first", bothEnding, .delivered(.down), .endWriting(.client)),
        Row(
            "both ending, client first, its bytes last", bothEnding + [.delivered(.down)], .delivered(.up),
            .end(reset: false, .clientClosed, nil)),
    ]

    static let failing: [Row] = [
        Row("relaying", relaying, .legFailed(.client, gone), .drain(from: .client)),
        Row("relaying", relaying, .legFailed(.upstream, silent), .drain(from: .upstream)),
        Row("client failed", clientFailed, .delivered(.up), .awaitSent(.upstream)),
        Row("client failed", clientFailed, .sourceEnded(.up), .none),
        Row("client failed", clientFailed, .legFailed(.client, silent), .none),
        Row("client failed", clientFailed, .legFailed(.upstream, silent), .end(reset: true, .clientReset, gone)),
        Row("client failed", clientFailed, .decided(.killed), .end(reset: true, .clientReset, gone)),
        Row("client failed", clientFailed, .resetMayPass, .end(reset: true, .clientReset, gone)),
        Row("upstream failed", upstreamFailed, .delivered(.down), .awaitSent(.client)),
        Row("upstream failed", upstreamFailed, .resetMayPass, .end(reset: true, .upstreamReset, gone)),
        Row(
            "upstream failed while it ended its half", relaying + [.sourceEnded(.down)], .legFailed(.upstream, gone),
            .drain(from: .upstream)),
        Row("client ended, then failed", clientEnded, .legFailed(.client, gone), .awaitSent(.upstream)),
        Row("upstream ended, then failed", upstreamEnded, .legFailed(.upstream, gone), .awaitSent(.client)),
        Row("client ended, then upstream failed", clientEnded, .legFailed(.upstream, gone), .drain(from: .upstream)),
    ]

    static let passing: [Row] = [
        Row("passing a reset", passingClientReset, .resetMayPass, .end(reset: true, .clientReset, gone)),
        Row("passing a reset", passingClientReset, .legFailed(.client, silent), .none),
        Row(
            "passing a reset", passingClientReset, .legFailed(.upstream, silent),
            .end(reset: true, .clientReset, gone)),
        Row("passing a reset", passingClientReset, .sourceEnded(.down), .none),
        Row("passing a reset", passingClientReset, .delivered(.down), .none),
        Row("passing a reset", passingClientReset, .decided(.drained), .end(reset: true, .clientReset, gone)),
        Row("passing a reset", passingUpstreamReset, .resetMayPass, .end(reset: true, .upstreamReset, gone)),
    ]

    static let ended: [Row] = [
        .prepared, .greeted, .connected(failed: false), .connectFailed(.loop, nil), .sourceEnded(.up),
        .sourceEnded(.down), .delivered(.up),
        .delivered(.down), .legFailed(.client, gone), .legFailed(.upstream, gone), .resetMayPass, .decided(.killed),
    ].map { Row("over", over, $0, .none) }

    private func run(_ row: Row) -> ConnectionState {
        var state = ConnectionState()
        for event in row.before { _ = state.handle(event) }
        #expect(state.handle(row.event) == row.action)
        return state
    }

    @Test(
        arguments: [
            (.prepared, .connect, .connecting), (.sourceEnded(.up), .end(reset: false, .clientClosed, nil), .ended),
            (.legFailed(.client, gone), .end(reset: true, .clientReset, gone), .ended),
            (.legFailed(.client, silent), .end(reset: true, .clientTimedOut, silent), .ended),
            (.connectFailed(.destinationRefused, nil), .end(reset: true, .destinationRefused, nil), .ended),
            (.watchRefused(full), .end(reset: true, .internalError, full), .ended),
            (.decided(.proxyHeaderInvalid), .end(reset: true, .proxyHeaderInvalid, nil), .ended),
            (.decided(.killed), .end(reset: true, .killed, nil), .ended),
        ] as [(Event, Action, ConnectionState.Phase)], [false, true])
    func event_whilePreparing(row: (Event, Action, ConnectionState.Phase), greets: Bool) {
        var state = ConnectionState(prepares: true, greets: greets)
        #expect(state.phase == .preparing && state.isStaging && state.isOpening)
        #expect(state.handle(row.0) == row.1)
        #expect(state.phase == row.2 && !state.isStaging)
    }

    @Test(
        arguments: [
            (.greeted, .relay, .relaying), (.legFailed(.client, gone), .end(reset: true, .clientReset, gone), .ended),
            (.legFailed(.upstream, gone), .end(reset: true, .upstreamReset, gone), .ended),
            (.watchRefused(full), .end(reset: true, .internalError, full), .ended),
            (.decided(.connectTimeout), .end(reset: true, .connectTimeout, nil), .ended),
            (.sourceEnded(.down), .end(reset: false, .upstreamClosed, nil), .ended),
            (.sourceEnded(.up), .end(reset: false, .clientClosed, nil), .ended),
            (.connectFailed(.connectUnreachable, nil), .end(reset: true, .connectUnreachable, nil), .ended),
        ] as [(Event, Action, ConnectionState.Phase)], [false, true])
    func event_whileGreeting(row: (Event, Action, ConnectionState.Phase), prepares: Bool) {
        var state = ConnectionState(prepares: prepares, greets: true)
        if prepares { #expect(state.handle(.prepared) == .connect) }
        #expect(state.handle(.connected(failed: false)) == .greet)
        #expect(state.phase == .greeting && state.isStaging && state.isOpening && !state.isMoving)
        #expect(state.handle(row.0) == row.1)
        #expect(state.phase == row.2 && !state.isStaging)
    }

    /// The bytes that it sent before its reset can still be read; a greeting cannot be sent.
    @Test func upstreamThatHasResetAlready_isNotGreeted() {
        var state = ConnectionState(greets: true)
        #expect(state.handle(.connected(failed: true)) == .relay)
        #expect(state.handle(.legFailed(.upstream, Self.gone)) == .drain(from: .upstream))
    }

    @Test(arguments: connecting) func event_whileConnecting(row: Row) {
        let state = run(row)
        #expect(state.phase == (row.action == .relay ? .relaying : .ended))
    }

    @Test(arguments: orderly + failing + passing) func event_whileRelayingOrPassingAReset(row: Row) {
        let state = run(row)
        switch row.action {
        case .end: #expect(state.phase == .ended)
        case .awaitSent: #expect(state.phase == .passingReset)
        case .none, .connect, .greet, .relay, .refuse, .endWriting, .drain: #expect(state.phase != .ended)
        }
    }

    @Test(arguments: ended) func event_whenAllIsOver_doesNothing(row: Row) {
        #expect(run(row).phase == .ended)
    }

    @Test(
        arguments: [
            (ECONNRESET, .clientReset, .upstreamReset), (EPIPE, .clientReset, .upstreamReset),
            (ETIMEDOUT, .clientTimedOut, .upstreamTimedOut), (EHOSTUNREACH, .clientTimedOut, .upstreamTimedOut),
            (ENETUNREACH, .clientTimedOut, .upstreamTimedOut), (ENETDOWN, .clientTimedOut, .upstreamTimedOut),
        ] as [(CInt, EndReason, EndReason)])
    func legFailed_errorOfTheSystem_namesTheReason(code: CInt, client: EndReason, upstream: EndReason) {
        for (side, reason) in [(Side.client, client), (.upstream, upstream)] {
            var state = ConnectionState()
            _ = state.handle(.connected(failed: false))
            _ = state.handle(.legFailed(side, Errno(code)))
            #expect(state.handle(.resetMayPass) == .end(reset: true, reason, Errno(code)))
            #expect(reason.closedBy == (side == .client ? .client : .upstream))
        }
    }

    @Test func halfClosed_onlyWhileExactlyOneFlowHasEndedInOrder() {
        func isHalfClosed(_ events: [Event]) -> Bool {
            var state = ConnectionState()
            for event in events { _ = state.handle(event) }
            return state.isHalfClosed
        }
        #expect(!isHalfClosed([]))
        #expect(!isHalfClosed(Self.relaying))
        #expect(!isHalfClosed(Self.clientEnding), "its bytes are still on their way")
        #expect(isHalfClosed(Self.clientEnded))
        #expect(isHalfClosed(Self.upstreamEnded))
        #expect(!isHalfClosed(Self.over))
        #expect(!isHalfClosed(Self.clientFailed))
    }
}
