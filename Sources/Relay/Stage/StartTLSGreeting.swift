internal import Configuration
internal import EventLoop
internal import Sockets
internal import StartTLS
internal import TLS

/// Agrees on TLS with the upstream, in the messages of its protocol.
final class StartTLSGreeting: Stage {
    private let limit: UInt64
    private var dialogue: StartTLSDialogue
    /// What the upstream's socket has not taken yet.
    private var unsent: ArraySlice<UInt8> = []

    init(_ kind: StartTLSDialogue.Kind, limit: UInt64, _ context: StageContext) {
        self.limit = limit
        dialogue = StartTLSDialogue(kind)
        if !dialogue.start.isEmpty { send(dialogue.start, context) }
    }

    var side: Side { .upstream }
    var waitsFor: LiveConnection.Wait { .upstreamHandshake }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHandshakeTimeout) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            if let outcome = leg.send(all: &unsent) { return outcome }
            switch leg.receive(into: context.scratch, limit: context.scratch.capacity) {
            case .moved(let count):
                var bytes: [UInt8] = []
                context.scratch.append(count: count, to: &bytes)
                context.note(bytes, .received, with: side)
                switch dialogue.read(bytes) {
                case .incomplete: continue
                case .send(let message): send(message, context)
                case .complete:
                    context.upstreamGreeting = dialogue.greeting
                    return .done
                case .failed(let clause): return refuse(.startTLS(clause), context)
                }
            case .wouldBlock: return .wait(.readable)
            case .endOfStream: return refuse(.endedInHandshake, context)
            case .failed(let error): return .end(.legFailed(error))
            }
        }
    }

    private func send(_ message: [UInt8], _ context: StageContext) {
        unsent = message[...]
        context.note(message, .sent, with: side)
    }

    private func refuse(_ cause: TLSFailure.Cause, _ context: StageContext) -> StageOutcome {
        context.note(TLSFailure(cause), on: .upstream)
        context.explainToPostgres()
        return .end(.unreachable(DialFailure(reason: .tlsHandshakeFailed, errno: nil, address: nil)))
    }
}

/// Passes the greeting on that the upstream sent before TLS, to a client that does not know about it.
final class GreetingReplay: Stage {
    var side: Side { .upstream }
    var waitsFor: LiveConnection.Wait { .upstreamHandshake }
    var deadline: StageDeadline? { nil }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        if !context.upstreamGreeting.isEmpty { leg.returnToFront(context.upstreamGreeting) }
        return .done
    }
}

extension StartTLSProtocol {
    /// The protocol of mail; nil for another one.
    var mail: MailProtocol? {
        switch self {
        case .postgres: nil
        case .smtp: .smtp
        case .imap: .imap
        }
    }

    /// How it agrees on TLS with an upstream.
    var dialogue: StartTLSDialogue.Kind { mail.map { .mail($0) } ?? .postgres }
}
