internal import EventLoop
internal import Sockets
internal import StartTLS
internal import TLS

/// Answers the request for TLS with which a PostgreSQL client begins: with yes on a relay that speaks TLS with its clients, and
/// otherwise with no, because the upstream, which the relay speaks TLS with, could not answer it inside of TLS.
final class PostgresRequest: Stage {
    private let limit: UInt64
    private let offersTLS: Bool
    /// The part of an incomplete request that was read.
    private var received: [UInt8] = []
    /// The answer that the client's socket has not taken yet.
    private var unsent: ArraySlice<UInt8> = []
    private var isAccepted = false
    private var isRefused = false

    init(limit: UInt64, offersTLS: Bool) {
        self.limit = limit
        self.offersTLS = offersTLS
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .clientHandshake }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHandshakeTimeout) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            if let outcome = leg.send(all: &unsent) { return outcome }
            if isAccepted { return .done }
            // One byte more than a request shows whether something follows it.
            switch leg.peek(into: context.scratch, limit: PostgresOpening.length + 1) {
            case .moved(let count):
                if let outcome = read(count, leg, context) { return outcome }
            case .wouldBlock: return .wait(.readable)
            case .endOfStream:
                if isRefused { context.note(.postgresTLS) }
                return .end(.ended)
            case .failed(let error): return .end(.legFailed(error))
            }
        }
    }

    /// Reads `count` peeked bytes, at least one. Nil: continue.
    private func read(_ count: Int, _ leg: Leg, _ context: StageContext) -> StageOutcome? {
        let before = received.count
        context.scratch.append(count: count, to: &received)
        // A client that begins TLS although it gets none could not read an error.
        context.speaksPostgres = offersTLS || PostgresOpening(received) != .direct
        switch PostgresOpening(received) {
        case .incomplete:
            return leg.consume(count, context.scratch).map { .end($0) }
        case .sslRequest:
            isAccepted = offersTLS
            isRefused = !offersTLS
            return answer(offersTLS ? PostgresOpening.accepted : PostgresOpening.refused, count, leg, context)
        case .gssRequest:
            return answer(PostgresOpening.refused, count, leg, context)
        case .bytesBehindRequest:
            return refuse("sent bytes behind its request for TLS, before the answer", leg, context)
        case .direct, .plain:
            if !offersTLS || PostgresOpening(received) == .direct {
                // The first bytes of the stream, or of the TLS handshake.
                let early = Array(received.prefix(before))
                if !early.isEmpty { leg.returnToFront(early) }
                return .done
            }
            return refuse("did not request TLS, which this relay requires", leg, context)
        }
    }

    private func answer(_ byte: UInt8, _ count: Int, _ leg: Leg, _ context: StageContext) -> StageOutcome? {
        if let end = leg.consume(count, context.scratch) { return .end(end) }
        if isAccepted {
            // Not a refused request before it: Wireshark takes its answer for the beginning of a longer one.
            context.note(received, .received, with: side)
            context.note([byte], .sent, with: side)
        }
        received = []
        unsent = [byte]
        return nil
    }

    private func refuse(_ fault: String, _ leg: Leg, _ context: StageContext) -> StageOutcome {
        context.note(TLSFailure(.startTLS(fault)), on: .client)
        context.lastWords = PostgresOpening.error("Tapline: the client \(fault)")
        return .end(.refusedInWords(.tlsHandshakeFailed))
    }
}
