internal import Recording
internal import Sockets

/// What a recording that was stopped took of a connection that went on. It does not keep the recorder.
struct PastTap {
    let taken: UInt64
    let missed: UInt64
    let account: TapAccount
}

/// One connection's way into one recorder.
///
/// Owned by the connection, on the worker's thread. It puts what passes into the recorder's ring and counts what finds
/// no room there. Under `block` the flow asks `reserve` before it moves anything, and then nothing finds no room.
final class ConnectionTap {
    // MARK: Fixed at birth

    let recorder: Recorder
    let account = TapAccount()
    private let limit: UInt64

    // MARK: The loop's thread only

    /// Whose connection it is; while its PROXY header is awaited, its peer's.
    private var origin: ConversationOrigin
    /// Bytes that the ring took, and that it had no room for.
    private(set) var taken: UInt64 = 0
    private(set) var missed: UInt64 = 0
    private var hasBegun = false
    /// Whether it ever did: then the recorder knows of it, and has to hear of its end.
    private var isKnown = false
    private var endedFlows = EndedFlows()
    private var upstreamAddress: SocketAddress?
    /// How much of each flow passed before its recording began.
    private var upStart: UInt64
    private var downStart: UInt64
    /// How much of the ring is promised.
    private var reserved = 0

    /// A tap on a connection that was just accepted.
    convenience init(recorder: Recorder, origin: ConversationOrigin) {
        self.init(recorder: recorder, origin: origin, upstreamAddress: nil, upOffset: 0, downOffset: 0)
        begin(at: origin.accepted, isFromMiddle: false)
    }

    /// A tap on a connection that is open, of which so much will have passed when the first byte is taken.
    init(
        recorder: Recorder, origin: ConversationOrigin, upstreamAddress: SocketAddress?, upOffset: UInt64,
        downOffset: UInt64, endedFlows: EndedFlows = EndedFlows()
    ) {
        self.recorder = recorder
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
    func introduced(as origin: ConversationOrigin) {
        self.origin = origin
        begin(at: origin.accepted, isFromMiddle: false)
    }

    func connected(to address: SocketAddress) {
        upstreamAddress = address
        guard hasBegun else { return }
        let note = TapNote(.connected(address), account)
        // Without room the recording goes on from the middle.
        if !append(TapEvent(kind: .connected, connection: origin.id, time: WallClock.now), RawSpan(), note) {
            hasBegun = false
        }
    }

    /// Takes bytes of a flow, of which so much was delivered before.
    func take(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        let start = direction == .up ? upStart : downStart
        let left = limit - min(limit, offset - start)
        let count = min(bytes.byteCount, Int(clamping: left))
        guard count > 0 else { return }
        let time = WallClock.now
        guard hasBegun || begin(at: time, isFromMiddle: true) else { return miss(count) }
        let largest = recorder.ring.largestPayload
        var position = 0
        while position < count {
            let end = min(position + largest, count)
            let event = TapEvent(
                kind: .data, direction: direction, connection: origin.id, time: time, offset: offset + UInt64(position))
            guard append(event, bytes.extracting(position..<end), nil) else { return miss(count - position) }
            taken += UInt64(end - position)
            position = end
        }
    }

    /// A flow ended in order; so much of it was delivered.
    func flowEnded(_ direction: Direction, at offset: UInt64) {
        guard hasBegun, endedFlows.insert(direction) else { return }
        let start = direction == .up ? upStart : downStart
        let recorded = start + min(limit, offset - start)
        let event = TapEvent(
            kind: .flowEnded, direction: direction, connection: origin.id, time: WallClock.now, offset: recorded)
        // Without room the end of the connection tells it.
        _ = append(event, RawSpan(), nil)
    }

    /// The connection is over. What its recording says of it is what this one took.
    func ended(_ record: ConnectionRecord) {
        var record = record
        record.recordedBytes = taken
        record.droppedBytes = missed
        finish(TapNote(.ended(record), account), .ended)
    }

    /// The connection goes on unrecorded.
    func stopped() {
        finish(TapNote(.stopped, account), .stopped)
    }

    private func finish(_ note: TapNote, _ kind: TapEvent.Kind) {
        defer { recorder.detached() }
        close()
        // A recorder of one connection ends with it, also when nothing of it passed.
        guard isKnown || recorder.plan.selection.connection != nil else {
            if kind == .ended { recorder.endedUnknown(origin.id, account) }
            return
        }
        let event = TapEvent(kind: kind, connection: origin.id, time: WallClock.now)
        if recorder.ring.appendAlways(event, attachment: note, room: Recorder.roomOfNote) == .appendedToSleeper {
            recorder.wake()
        }
    }

    // MARK: Room

    /// Makes sure that so many bytes find room, where the recording must be whole. When that fails, the recorder tells
    /// the workers later that there is room.
    func reserve(_ count: Int) -> Bool {
        guard recorder.isBlocking else { return true }
        let most = min(count, mostAtOnce)
        let largest = recorder.ring.largestPayload
        let size = TapRing.size(ofPayload: largest)
        // The beginning from the middle, which may be due.
        let needed = (most + largest - 1) / largest * size + TapRing.size(ofPayload: Recorder.roomOfNote)
        guard recorder.ring.reserve(needed) else { return false }
        reserved += needed
        return true
    }

    /// How many bytes may be reserved at once.
    var mostAtOnce: Int { recorder.isBlocking ? recorder.ring.capacity / 4 : .max }

    /// Gives back what was reserved and not used.
    func close() {
        if recorder.ring.unreserve(reserved) { recorder.hasRoom() }
        reserved = 0
    }

    @discardableResult
    private func begin(at time: Int64, isFromMiddle: Bool) -> Bool {
        let beginning = TapBeginning(
            origin: origin, isFromMiddle: isFromMiddle, upstreamAddress: upstreamAddress, upOffset: upStart,
            downOffset: downStart, endedFlows: endedFlows, hasRecord: recorder.hasRecords)
        let event = TapEvent(kind: .begun, connection: origin.id, time: time)
        hasBegun = append(event, RawSpan(), TapNote(.begun(beginning), account))
        isKnown = isKnown || hasBegun
        return hasBegun
    }

    @inline(__always)
    private func append(_ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?) -> Bool {
        let room = note == nil ? 0 : Recorder.roomOfNote
        let promised = min(reserved, TapRing.size(ofPayload: max(bytes.byteCount, room)))
        reserved -= promised
        switch recorder.ring.append(event, bytes, attachment: note, room: room, reserved: promised) {
        case .appended: return true
        case .appendedToSleeper:
            recorder.wake()
            return true
        case .full: return false
        }
    }

    private func miss(_ count: Int) {
        missed += UInt64(count)
        recorder.missed(count, of: origin.relay)
    }
}
