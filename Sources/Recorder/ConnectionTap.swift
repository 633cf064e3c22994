internal import EventLoop
package import Recording
package import Sockets

/// The byte counts of a recording that stopped before its connection ended. It holds no reference to the recorder.
package struct DetachedTap {
    package let taken: UInt64
    package let missed: UInt64
    package let account: TapAccount
}

/// One connection's way into one recorder.
///
/// Owned by the connection, on the worker's thread. It hands what passes to the recorder, by its worker's lane, and
/// counts what finds no room there. Under `block` the flow asks the lane's `room` before it moves anything, and then
/// nothing finds no room.
package final class ConnectionTap {
    // MARK: Fixed at birth

    package let recorder: Recorder
    package let lane: RingProducer
    package let account = TapAccount()
    private let limit: UInt64

    // MARK: The loop's thread only

    /// Whose connection it is; while its PROXY header is awaited, its peer's.
    private var origin: ConversationOrigin
    /// Bytes that the ring took, and that it had no room for.
    package private(set) var taken: UInt64 = 0
    package private(set) var missed: UInt64 = 0
    private var hasBegun = false
    /// Whether it ever did: then the recorder knows of it, and has to hear of its end.
    private var isKnown = false
    private var endedFlows = EndedFlows()
    private var upstreamAddress: SocketAddress?
    /// How much of each flow passed before its recording began.
    private var upStart: UInt64
    private var downStart: UInt64

    /// A tap on a connection that was just accepted, at that moment of the monotonic clock.
    package convenience init(recorder: Recorder, lane: RingProducer, origin: ConversationOrigin, acceptedTicks: UInt64)
    {
        self.init(recorder: recorder, lane: lane, origin: origin, upstreamAddress: nil, upOffset: 0, downOffset: 0)
        begin(at: acceptedTicks, isFromMiddle: false)
    }

    /// A tap on a connection that is open, of which so much will have passed when the first byte is taken.
    package init(
        recorder: Recorder, lane: RingProducer, origin: ConversationOrigin, upstreamAddress: SocketAddress?,
        upOffset: UInt64, downOffset: UInt64, endedFlows: EndedFlows = EndedFlows()
    ) {
        self.recorder = recorder
        self.lane = lane
        self.origin = origin
        self.upstreamAddress = upstreamAddress
        self.endedFlows = endedFlows
        limit = recorder.maxBytes ?? .max
        upStart = upOffset
        downStart = downOffset
        recorder.attached()
    }

    // MARK: What happens

    /// The PROXY header that was awaited has named the client. Only now the recording begins.
    package func introduced(as origin: ConversationOrigin, acceptedTicks: UInt64) {
        self.origin = origin
        begin(at: acceptedTicks, isFromMiddle: false)
    }

    package func connected(to address: SocketAddress) {
        upstreamAddress = address
        guard hasBegun else { return }
        let note = TapNote(.connected(address), account)
        // Without room the recording goes on from the middle.
        let event = TapEvent(kind: .connected, connection: origin.id, ticks: EventLoop.nanoseconds)
        if !lane.append(event, RawSpan(), note) {
            hasBegun = false
        }
    }

    /// Whether bytes of a flow from an offset on are recorded: those after the limit (`max_bytes`) are not.
    package func needsBytes(of direction: Direction, from offset: UInt64) -> Bool {
        let start = direction == .up ? upStart : downStart
        return offset - min(start, offset) < limit
    }

    /// Takes bytes of a flow, of which so much was delivered before.
    func take(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        let start = direction == .up ? upStart : downStart
        let left = limit - min(limit, offset - min(start, offset))
        let count = min(bytes.byteCount, Int(clamping: left))
        guard count > 0 else { return }
        let ticks = EventLoop.nanoseconds
        guard hasBegun || begin(at: ticks, isFromMiddle: true) else { return miss(count) }
        var position = 0
        while position < count {
            let end = min(position + lane.largestEvent, count)
            let event = TapEvent(
                kind: .data, direction: direction, connection: origin.id, ticks: ticks,
                offset: offset + UInt64(position))
            guard lane.append(event, bytes.extracting(position..<end), nil) else { return miss(count - position) }
            taken &+= UInt64(end - position)
            position = end
        }
    }

    /// A flow ended in order; so much of it was delivered.
    package func flowEnded(_ direction: Direction, at offset: UInt64) {
        guard hasBegun, endedFlows.insert(direction) else { return }
        let start = direction == .up ? upStart : downStart
        // What was in a pipe when the recording began may never have been delivered.
        let recorded = start + min(limit, offset - min(start, offset))
        let event = TapEvent(
            kind: .flowEnded, direction: direction, connection: origin.id, ticks: EventLoop.nanoseconds,
            offset: recorded)
        // Without room the end of the connection tells it.
        _ = lane.append(event, RawSpan(), nil)
    }

    /// The connection ended. The byte counts of the recording are those of this tap.
    package func ended(_ end: ConversationEnd) {
        var end = end
        end.recordedBytes = taken
        end.droppedBytes = missed
        finish(TapNote(.ended(end), account), .ended)
    }

    /// The connection goes on unrecorded. Returns what its end record needs; nil for a live recording.
    package func stopped() -> DetachedTap? {
        finish(TapNote(.stopped, account), .stopped)
        return recorder.hasRecords ? DetachedTap(taken: taken, missed: missed, account: account) : nil
    }

    private func finish(_ note: TapNote, _ kind: TapEvent.Kind) {
        defer { recorder.detached() }
        // A recorder of one connection ends with it, also when nothing of it passed.
        guard isKnown || recorder.plan.selection.connection != nil else {
            if kind == .ended { recorder.endedUnknown(origin.id, account) }
            return
        }
        lane.appendLast(TapEvent(kind: kind, connection: origin.id, ticks: EventLoop.nanoseconds), note)
    }

    // MARK: Room

    @discardableResult
    private func begin(at ticks: UInt64, isFromMiddle: Bool) -> Bool {
        let beginning = TapBeginning(
            origin: origin, isFromMiddle: isFromMiddle, upstreamAddress: upstreamAddress, upOffset: upStart,
            downOffset: downStart, endedFlows: endedFlows, hasRecord: recorder.hasRecords)
        let event = TapEvent(kind: .begun, connection: origin.id, ticks: ticks)
        hasBegun = lane.append(event, RawSpan(), TapNote(.begun(beginning), account))
        isKnown = isKnown || hasBegun
        return hasBegun
    }

    private func miss(_ count: Int) {
        missed &+= UInt64(count)
        recorder.missed(count, of: origin.relay)
    }
}
