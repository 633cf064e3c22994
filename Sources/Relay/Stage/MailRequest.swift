internal import EventLoop
internal import Sockets
internal import StartTLS
internal import TLS

/// Greets a mail client and answers its commands until it begins TLS.
final class MailRequest: Stage {
    private let name: MailProtocol
    private let limit: UInt64
    private var offer: MailOffer
    /// What the client's socket has not taken yet.
    private var unsent: ArraySlice<UInt8> = []
    private var hasBegun = false
    /// The client has said that it ends the connection.
    private var isLeaving = false

    init(_ name: MailProtocol, limit: UInt64, _ context: StageContext) {
        self.name = name
        self.limit = limit
        offer = MailOffer(name)
        send(offer.greeting, context)
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .clientHandshake }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHandshakeTimeout) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            if let outcome = leg.send(all: &unsent) { return outcome }
            if hasBegun { return .done }
            if isLeaving { return leave(context) }
            switch leg.receive(into: context.scratch, limit: context.scratch.capacity) {
            case .moved(let count):
                var bytes: [UInt8] = []
                context.scratch.append(count: count, to: &bytes)
                context.note(bytes, .received, with: side)
                if let end = answer(offer.read(bytes), context) { return end }
            case .wouldBlock: return .wait(.readable)
            case .endOfStream: return leave(context)
            case .failed(let error): return .end(.legFailed(error))
            }
        }
    }

    private func leave(_ context: StageContext) -> StageOutcome {
        if let answer = offer.refusal {
            context.note(.mailWithoutTLS(protocolName: name == .smtp ? "SMTP" : "IMAP", answer: answer))
        }
        return .end(.ended)
    }

    /// Nil: the client goes on.
    private func answer(_ step: MailOffer.Step, _ context: StageContext) -> StageOutcome? {
        switch step {
        case .incomplete: break
        case .answer(let bytes): send(bytes, context)
        case .begin(let bytes):
            send(bytes, context)
            hasBegun = true
        case .end(let bytes):
            send(bytes, context)
            isLeaving = true
        case .refused(let clause, let bytes):
            context.note(TLSFailure(.startTLS(clause)), on: .client)
            context.lastWords = bytes
            return .end(.refusedInWords(.tlsHandshakeFailed))
        }
        return nil
    }

    private func send(_ bytes: [UInt8], _ context: StageContext) {
        unsent = bytes[...]
        context.note(bytes, .sent, with: side)
    }
}

/// Reads the greeting of a mail upstream, which its client has had from `MailRequest` already. What is no welcome is
/// passed on, as the answer to the client's first command.
final class MailWelcome: Stage {
    private let name: MailProtocol
    private let limit: UInt64
    /// The part of an incomplete greeting that was read.
    private var received: [UInt8] = []

    init(_ name: MailProtocol, limit: UInt64) {
        self.name = name
        self.limit = limit
    }

    var side: Side { .upstream }
    var waitsFor: LiveConnection.Wait { .upstreamHandshake }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHandshakeTimeout) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            let transfer = leg.receive(into: context.scratch, limit: context.scratch.capacity)
            switch transfer {
            case .moved(let count): context.scratch.append(count: count, to: &received)
            case .wouldBlock: return .wait(.readable)
            case .endOfStream where !received.isEmpty:
                // A line without its end, such as `421 busy`, is passed on as it is.
                return pass(received[...], leg)
            case .endOfStream: return .end(.ended)
            case .failed(let error):
                if !received.isEmpty { leg.returnToFront(received) }
                return .end(.legFailed(error))
            }
            switch MailGreeting(received, of: name) {
            case .incomplete: continue
            case .welcome(let length): return pass(received.dropFirst(length), leg)
            case .other: return pass(received[...], leg)
            }
        }
    }

    private func pass(_ bytes: ArraySlice<UInt8>, _ leg: Leg) -> StageOutcome {
        if !bytes.isEmpty { leg.returnToFront(Array(bytes)) }
        return .done
    }
}
