internal import Glibc
internal import Recorder
internal import Sockets

/// The copy pump: `recv` into the worker's scratch buffer, `send` at once.
extension Flow {
    func copy(atMost most: Int = Limits.copiedPerEvent) -> Outcome {
        var budget = most
        while true {
            let limit = min(readLimit, budget)
            switch source.receive(into: scratch, limit: limit) {
            case .moved(let count):
                if let failure = send(scratch, count: count) {
                    discarded &+= UInt64(count)
                    return .destinationFailed(failure)
                }
                if isBlocked { return .waiting }
                if count >= Limits.large {
                    if streak < Limits.largeReadsToStream {
                        streak += 1
                    } else if startSplicing() {
                        return .waiting
                    }
                } else {
                    streak = 0
                }
                budget -= count
                // A short read has emptied the source; another one would cost a call that returns EAGAIN.
                if count < limit || budget <= 0 { return .waiting }
            case .endOfStream:
                isSourceDone = true
                return .sourceEnded
            case .wouldBlock:
                return foundNothing()
            case .failed(let error):
                isSourceDone = true
                return .sourceFailed(error)
            }
        }
    }

    /// A stream that cannot splice reads more at once, while the worker's kept bytes are few.
    @inline(__always)
    private var readLimit: Int {
        streak >= Limits.largeReadsToStream && worker.keptBytes < Worker.mostKeptForStreams
            ? Limits.streamingRead : Limits.read
    }

    /// The kernel took none of the bytes without an error, which send(2) does not allow. It would repeat without end, so it
    /// is an error of this connection.
    static var tookNothing: Errno { Errno(EIO) }

    /// Sends from the worker's buffer and keeps the bytes that there is no room for. Returns the error of a failed socket.
    @inline(__always)
    private func send(_ scratch: ByteBuffer, count: Int) -> Errno? {
        switch destination.send(scratch, from: 0, count: count) {
        case .moved(let sent):
            self.count(sent)
            if let callableTaps { scratch.withBytes(from: 0, count: sent) { hand($0, to: callableTaps) } }
            if sent < count { keep(scratch, from: sent, count: count - sent) }
            return nil
        case .wouldBlock:
            keep(scratch, from: 0, count: count)
            return nil
        case .endOfStream:
            return Self.tookNothing
        case .failed(let error):
            return error
        }
    }

    private func keep(_ scratch: ByteBuffer, from offset: Int, count: Int) {
        let buffer = ByteBuffer(capacity: count)
        buffer.fill(from: scratch, offset: offset, count: count)
        kept = buffer
        keptOffset = 0
        keptCount = UInt32(count)
        worker.keptBytes += count
    }

    /// Sends kept bytes.
    func sendKept() -> Outcome {
        guard let buffer = kept else { return .waiting }
        let whole = tapMustBeWhole ? taps : nil
        let count = min(Int(keptCount), whole?.mostAtOnce ?? .max)
        guard whole?.reserve(count) ?? true else { return waitForTap() }
        defer { whole?.releaseUnused() }
        switch destination.send(buffer, from: Int(keptOffset), count: count) {
        case .moved(let sent):
            self.count(sent)
            if let callableTaps { buffer.withBytes(from: Int(keptOffset), count: sent) { hand($0, to: callableTaps) } }
            let taken = UInt32(clamping: min(sent, count))
            keptOffset += taken
            keptCount -= taken
            if keptCount == 0 { dropKept() }
            return .waiting
        case .wouldBlock:
            return .waiting
        case .endOfStream:
            return .destinationFailed(Self.tookNothing)
        case .failed(let error):
            return .destinationFailed(error)
        }
    }

    // MARK: Taps

    /// Copies as much as a recording that must be whole has room for.
    func copyWhole() -> Outcome {
        guard let taps = callableTaps, tapMustBeWhole else {
            // The recording has reached its limit.
            choosePump()
            return copy()
        }
        let most = min(readLimit, taps._withUnsafeGuaranteedRef { $0.mostAtOnce })
        guard taps._withUnsafeGuaranteedRef({ $0.reserve(most) }) else { return waitForTap() }
        let outcome = copy(atMost: most)
        taps._withUnsafeGuaranteedRef { $0.releaseUnused() }
        return outcome
    }

    private func waitForTap() -> Outcome {
        waits.formUnion([.tap, .destination])
        return .waiting
    }

    /// Passes bytes that the destination just took, and that are counted, to the taps.
    @inline(__always)
    private func hand(_ bytes: RawSpan, to taps: Unmanaged<FlowTaps>) {
        taps._withUnsafeGuaranteedRef { $0.record(bytes, of: direction, at: delivered - UInt64(bytes.byteCount)) }
    }

    func dropKept() {
        guard let buffer = kept else { return }
        worker.keptBytes -= buffer.capacity
        kept = nil
        keptCount = 0
    }
}
