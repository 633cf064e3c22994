internal import EventLoop
internal import Sockets

/// One step of a connection before its bytes flow: it reads from one leg, or writes to one.
///
/// Owned by its connection's `StageRun`, on the worker's thread; released when it is done. What later stages need is in the
/// `StageContext`. Its users: `ProxyHeaderIn`, `ClientHelloPeek`, `RequestedDestination` and `OriginalDestination` before the
/// upstream is connected, `ProxyHeaderOut` and `RequestReply` after it, `TLSHandshake` on either side, `FailureReply` when there
/// is none.
protocol Stage: AnyObject {
    /// The leg whose readiness it waits for.
    var side: Side { get }

    /// What it waits for, as `top` and `why` show it.
    var waitsFor: LiveConnection.Wait { get }

    /// Counts from the end of the previous stage, or from accept. Nil for a stage that never waits, and for one of a
    /// greeting that the connect timeout covers.
    var deadline: StageDeadline? { get }

    /// Called at once, and again whenever the leg is ready.
    func run(on leg: Leg, _ context: StageContext) -> StageOutcome
}

/// How long a stage may take.
struct StageDeadline {
    /// Milliseconds; 0 is off.
    let limit: UInt64
    /// The end reason when it has passed.
    let reason: EndReason
}

/// The result of running a stage.
enum StageOutcome {
    /// Run it again when the leg is ready for this.
    case wait(Poll.Events)
    case done
    /// The connection ends; in a greeting, a failed upstream only ends the stages, because what it sent before it failed
    /// is still forwarded.
    case end(StageEnd)
}

/// Why a stage ends its connection.
enum StageEnd {
    /// The peer of the stage's leg ended its half in order before it sent what the stage needs.
    case ended
    /// The leg's socket has failed.
    case legFailed(Errno)
    /// Tapline ends the connection.
    case refused(EndReason)
    /// The same, after the client has read the bytes that say so.
    case refusedInWords(EndReason)
    /// There is no upstream to connect to.
    case unreachable(DialFailure)
}

extension Leg {
    /// Sends bytes until none is left (nil) or the leg takes no more; what it has taken is removed from `bytes`.
    func send(all bytes: inout ArraySlice<UInt8>) -> StageOutcome? {
        while !bytes.isEmpty {
            switch send(bytes) {
            case .moved(let count): bytes = bytes.dropFirst(count)
            case .wouldBlock: return .wait(.writable)
            case .endOfStream: return .end(.legFailed(Flow.tookNothing))
            case .failed(let error): return .end(.legFailed(error))
            }
        }
        return nil
    }

    /// Reads bytes that were peeked at before. They are in the socket, but the peer may have reset since; nil if not.
    func consume(_ count: Int, _ scratch: ByteBuffer) -> StageEnd? {
        var left = count
        while left > 0 {
            switch receive(into: scratch, limit: left) {
            case .moved(let taken): left -= taken
            case .failed(let error): return .legFailed(error)
            case .wouldBlock, .endOfStream: return .ended
            }
        }
        return nil
    }
}
