internal import EventLoop
package import Recording
package import Sockets

/// The byte counts of a recording that stopped before its connection ended. It holds no reference to the recorder.
package struct DetachedTap {
    package let taken: UInt64
    package let missed: UInt64
    package let account: TapAccount
}

/// The recording of one connection by one recorder.
///
/// Owned by the connection, on the worker's thread. It passes relayed bytes to the recorder through the worker's producer,
/// and counts bytes that do not fit. Under `block` the flow reserves room before it moves bytes, so all of them fit.
package final class ConnectionTap {
    // MARK: Fixed at init

    package let recorder: Recorder
    package let producer: RingProducer
    package let account = TapAccount()
    private let limit: UInt64
    /// Room that flows have reserved is for their own bytes. Those of an encrypted leg cannot wait for room.
    private let mayUseReservation: Bool

    // MARK: The loop's thread only

    /// The connection's properties; before its PROXY header arrives, those of the peer.
    private var origin: ConversationOrigin
    /// Bytes that fit into the ring, and bytes that did not.
    package private(set) var taken: UInt64 = 0
    package private(set) var missed: UInt64 = 0
    private var hasBegun = false
    /// Whether it ever began; then the recorder needs its end event.
    private var isKnown = false
    private var endedFlows = EndedFlows()
    private var upstreamAddress: SocketAddress?
    /// The flows' offsets at which the recording began.
    private var upStart: UInt64
    private var downStart: UInt64
    /// Lines of the key log; the recorder does not have those from `passedSecrets` on.
    private var secrets: [UInt8] = []
    private var passedSecrets = 0
    /// The connection's TLS sessions.
    private var sessions: [ConversationSecurity] = []

    /// A tap on a connection accepted at `acceptedTicks` of the monotonic clock.
    package convenience init(
        recorder: Recorder, producer: RingProducer, origin: ConversationOrigin, acceptedTicks: UInt64
    ) {
        self.init(
            recorder: recorder, producer: producer, origin: origin, upstreamAddress: nil, upOffset: 0, downOffset: 0)
        begin(at: acceptedTicks, isFromMiddle: false)
    }

    /// A tap on an open connection, whose flows continue at these offsets.
    package init(
        recorder: Recorder, producer: RingProducer, origin: ConversationOrigin, upstreamAddress: SocketAddress?,
        upOffset: UInt64, downOffset: UInt64, endedFlows: EndedFlows = EndedFlows()
    ) {
        self.recorder = recorder
        self.producer = producer
        self.origin = origin
        self.upstreamAddress = upstreamAddress
        self.endedFlows = endedFlows
        limit = recorder.maxBytes ?? .max
        mayUseReservation = origin.leg == nil
        upStart = upOffset
        downStart = downOffset
        recorder.attached()
    }

    // MARK: Events

    /// The PROXY header has named the client. The recording begins.
    package func introduced(as origin: ConversationOrigin, acceptedTicks: UInt64) {
        guard !isKnown else { return }
        self.origin = origin
        begin(at: acceptedTicks, isFromMiddle: false)
    }

    /// The upstream was connected, now or at `ticks` of the monotonic clock.
    package func connected(to address: SocketAddress, ticks: UInt64? = nil) {
        upstreamAddress = address
        guard hasBegun else { return }
        let note = TapNote(.connected(address), account)
        // Without room the recording continues from the middle.
        let event = TapEvent(kind: .connected, connection: origin.key, ticks: ticks ?? EventLoop.nanoseconds)
        if !append(event, RawSpan(), note) {
            hasBegun = false
        }
    }

    /// A TLS handshake of the connection is complete, perhaps before the recording begins.
    package func secured(_ session: ConversationSecurity) {
        sessions.append(session)
        guard hasBegun else { return }
        let event = TapEvent(kind: .secured, connection: origin.key, ticks: EventLoop.nanoseconds)
        // Without room only the comment is missing.
        _ = append(event, RawSpan(), TapNote(.secured(session), account))
    }

    /// The session of an encrypted leg has derived keys: the recorder gets them before the next bytes.
    package func add(secrets lines: [UInt8]) {
        secrets += lines
    }

    /// Whether bytes of a flow from an offset on are recorded: those after the limit (`max_bytes`) are not.
    package func needsBytes(of direction: Direction, from offset: UInt64) -> Bool {
        let start = direction == .up ? upStart : downStart
        return offset - min(start, offset) < limit
    }

    /// Records bytes of a flow that were delivered at `offset`, now or at `ticks` of the monotonic clock.
    package func record(_ bytes: RawSpan, of direction: Direction, at offset: UInt64, ticks: UInt64? = nil) {
        let start = direction == .up ? upStart : downStart
        let left = limit - min(limit, offset - min(start, offset))
        let count = min(bytes.byteCount, Int(clamping: left))
        guard count > 0 else { return }
        let ticks = ticks ?? EventLoop.nanoseconds
        guard hasBegun || begin(at: ticks, isFromMiddle: true) else { return miss(count) }
        if passedSecrets < secrets.count, !passSecrets(ticks) { return miss(count) }
        var position = 0
        while position < count {
            let end = min(position + producer.largestEvent, count)
            let event = TapEvent(
                kind: .data, direction: direction, connection: origin.key, ticks: ticks,
                offset: offset + UInt64(position))
            guard append(event, bytes.extracting(position..<end)) else { return miss(count - position) }
            taken &+= UInt64(end - position)
            position = end
        }
    }

    /// Bytes from the start of a flow of an encrypted leg on are missing, because they were not kept.
    package func omitted(_ count: Int) {
        miss(min(count, Int(clamping: limit)))
    }

    /// A flow ended with an end of stream after `offset` delivered bytes.
    package func flowEnded(_ direction: Direction, at offset: UInt64) {
        guard hasBegun, endedFlows.insert(direction) else { return }
        let start = direction == .up ? upStart : downStart
        // Bytes that were in a pipe when the recording began may not have been delivered.
        let recorded = start + min(limit, offset - min(start, offset))
        let event = TapEvent(
            kind: .flowEnded, direction: direction, connection: origin.key, ticks: EventLoop.nanoseconds,
            offset: recorded)
        // Without room the end of the connection implies it.
        _ = append(event, RawSpan())
    }

    /// The connection ended. This sets the recording's byte counts in `end`.
    package func ended(_ end: ConversationEnd) {
        var end = end
        end.recordedBytes = taken
        end.droppedBytes = missed
        finish(TapNote(.ended(end), account), .ended)
    }

    /// The recording stops and the connection continues. Returns the counts for its end record; nil if live.
    package func stopped() -> DetachedTap? {
        finish(TapNote(.stopped, account), .stopped)
        return recorder.hasRecords ? DetachedTap(taken: taken, missed: missed, account: account) : nil
    }

    private func finish(_ note: TapNote, _ kind: TapEvent.Kind) {
        defer { recorder.detached() }
        // A recorder of a single connection ends with it, even if nothing was recorded.
        guard isKnown || recorder.plan.selection.connection != nil else {
            if kind == .ended { recorder.endedUnknown(origin.key, account) }
            return
        }
        producer.appendLast(TapEvent(kind: kind, connection: origin.key, ticks: EventLoop.nanoseconds), note)
    }

    // MARK: Room

    @discardableResult
    private func begin(at ticks: UInt64, isFromMiddle: Bool) -> Bool {
        let beginning = TapBeginning(
            origin: origin, isFromMiddle: isFromMiddle, upstreamAddress: upstreamAddress, upOffset: upStart,
            downOffset: downStart, endedFlows: endedFlows, hasRecord: recorder.hasRecords, sessions: sessions)
        let event = TapEvent(kind: .begun, connection: origin.key, ticks: ticks)
        hasBegun = append(event, RawSpan(), TapNote(.begun(beginning), account))
        // The recorder begins another conversation.
        passedSecrets = 0
        isKnown = isKnown || hasBegun
        return hasBegun
    }

    private func passSecrets(_ ticks: UInt64) -> Bool {
        let lines = Array(secrets[passedSecrets...])
        let event = TapEvent(kind: .keys, connection: origin.key, ticks: ticks)
        let isPassed = append(event, lines.span.bytes)
        if isPassed { passedSecrets = secrets.count }
        return isPassed
    }

    @inline(__always)
    private func append(_ event: TapEvent, _ bytes: RawSpan, _ note: TapNote? = nil) -> Bool {
        producer.append(event, bytes, note, mayUseReservation: mayUseReservation)
    }

    private func miss(_ count: Int) {
        missed &+= UInt64(count)
        recorder.missed(count, of: origin.relay)
    }
}
