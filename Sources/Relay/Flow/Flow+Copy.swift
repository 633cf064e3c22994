internal import Glibc
internal import Recorder
internal import Sockets

/// The copy pump: `recv` into the worker's scratch buffer, `send` at once.
extension Flow {
    func copy(atMost most: Int = Limits.copiedPerEvent) -> Outcome {
        var budget = most
        while true {
            let limit = min(readLimit, budget)
            switch source.socket.receive(into: scratch, limit: limit) {
            case .moved(let count):
                if let failure = send(scratch, count: count) { return .destinationFailed(failure) }
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
                // A short read has emptied the source; an empty one would cost a call only to say so.
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

    /// A stream that cannot splice reads more at once, while the worker keeps little for slow destinations.
    @inline(__always)
    private var readLimit: Int {
        streak >= Limits.largeReadsToStream && worker.keptBytes < Worker.mostKeptForStreams
            ? Limits.streamingRead : Limits.read
    }

    /// The kernel took none of the bytes and gave no reason, which send(2) does not allow. It would repeat without end, so
    /// it is an error of this connection.
    static var tookNothing: Errno { Errno(EIO) }

    /// Sends from the scratch buffer and keeps what there is no room for. Returns the error of a socket that failed.
    @inline(__always)
    private func send(_ scratch: ByteBuffer, count: Int) -> Errno? {
        switch destination.socket.send(scratch, from: 0, count: count) {
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
        keptCount = count
        worker.keptBytes += count
    }

    /// Takes over what was read from the source before there was a flow: it is kept, and goes first.
    func hold(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        kept = ByteBuffer(bytes)
        keptOffset = 0
        keptCount = bytes.count
        worker.keptBytes += bytes.count
        bytes = []
    }

    /// Sends what was kept.
    func sendKept() -> Outcome {
        guard let buffer = kept else { return .waiting }
        let count = min(keptCount, taps?.mostAtOnce ?? .max)
        guard taps?.reserve(count) ?? true else { return waitForTap() }
        defer { taps?.settle() }
        switch destination.socket.send(buffer, from: keptOffset, count: count) {
        case .moved(let sent):
            self.count(sent)
            if let callableTaps { buffer.withBytes(from: keptOffset, count: sent) { hand($0, to: callableTaps) } }
            keptOffset += sent
            keptCount -= sent
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

    /// Copies when a recording must have every byte: only as much as that has room for.
    func copyWhole(to taps: Unmanaged<FlowTaps>) -> Outcome {
        let most = min(readLimit, taps._withUnsafeGuaranteedRef { $0.mostAtOnce })
        guard taps._withUnsafeGuaranteedRef({ $0.reserve(most) }) else { return waitForTap() }
        let outcome = copy(atMost: most)
        taps._withUnsafeGuaranteedRef { $0.settle() }
        return outcome
    }

    private func waitForTap() -> Outcome {
        isWaitingForTap = true
        isPaused = true
        return .waiting
    }

    /// Hands bytes that the destination just took, and that are counted, to the taps.
    @inline(__always)
    private func hand(_ bytes: RawSpan, to taps: Unmanaged<FlowTaps>) {
        taps._withUnsafeGuaranteedRef { $0.take(bytes, of: direction, at: delivered - UInt64(bytes.byteCount)) }
    }

    func dropKept() {
        guard let buffer = kept else { return }
        worker.keptBytes -= buffer.capacity
        kept = nil
        keptCount = 0
    }
}
