internal import Sockets

/// The splice pump: from socket to pipe to socket inside the kernel.
///
/// A pipe is full when its slots are, though it may have room in bytes: "would block" from socket to pipe means that
/// the socket is empty only when the pipe is.
extension Flow {
    /// Changes over to splicing, when there is no tap and a pipe is to be had.
    func startSplicing() -> Bool {
        guard taps == nil, let pipe = worker.pipes.take() else { return false }
        self.pipe = pipe
        inPipe = 0
        streak = 0
        return true
    }

    /// Goes back to copying.
    func leavePipe() {
        guard let pipe else { return }
        worker.pipes.give(pipe, isEmpty: inPipe == 0)
        self.pipe = nil
        inPipe = 0
        streak = 0
    }

    var hasRoomInPipe: Bool {
        guard let pipe else { return false }
        return inPipe < pipe.capacity
    }

    /// `sourceIsReadable` says that an event told so, and not merely that the destination has room again.
    func splice(sourceIsReadable: Bool) -> Outcome {
        guard let pipe else { return copy() }
        guard taps == nil else { return emptyPipe() }
        var budget = Limits.perEvent
        var isFirst = true
        while true {
            let room = pipe.capacity - inPipe
            switch source.socket.splice(into: pipe, limit: room) {
            case .moved(let count):
                inPipe += count
                let outcome = drainPipe()
                guard case .waiting = outcome, !isBlocked else { return outcome }
                if count < Limits.small {
                    streak += 1
                    if streak >= Limits.smallReadsToCopy {
                        leavePipe()
                        return .waiting
                    }
                } else {
                    streak = 0
                }
                budget -= count
                // Less than there was room for: the source is empty, or the slots were full and it will say so again.
                if count < room || budget <= 0 { return .waiting }
                isFirst = false
            case .endOfStream:
                // So it says, too, when an urgent mark is in the way and the end has come behind it: only a copy tells.
                leavePipe()
                return copy()
            case .wouldBlock:
                // The pipe is empty here. A source that polls readable and yet gives nothing has an urgent mark in the
                // way, which only a copy gets past; the flow splices again when it has shown that it streams.
                guard isFirst, sourceIsReadable || source.hasFailed else { return foundNothing() }
                leavePipe()
                return copy()
            case .failed(let error):
                // It fails at an urgent mark, too, with bytes behind that: only a copy tells that there are none.
                leavePipe()
                return source.hasFailed ? copy() : .sourceFailed(error)
            }
        }
    }

    /// A tap was put on the flow while it spliced: what is in the pipe passes unseen, and from then on it is copied.
    private func emptyPipe() -> Outcome {
        let outcome = drainPipe()
        guard case .waiting = outcome else { return outcome }
        if isBlocked {
            isPaused = true
            return .waiting
        }
        leavePipe()
        return pump(sourceIsReadable: true)
    }

    /// Reads on into the pipe while the destination has no room, so that the source's window stays open.
    func fillPipe() -> Outcome {
        guard let pipe else { return .waiting }
        switch source.socket.splice(into: pipe, limit: pipe.capacity - inPipe) {
        case .moved(let count):
            inPipe += count
            return .waiting
        case .wouldBlock, .endOfStream:
            // The slots are full, or the source is empty, or has ended, perhaps behind an urgent mark: either way,
            // nothing to be read before the pipe has moved.
            isPaused = true
            return .waiting
        case .failed(let error):
            // Perhaps at an urgent mark: what is behind it is read when the pipe has moved.
            isPaused = true
            return source.hasFailed ? .waiting : .sourceFailed(error)
        }
    }

    /// Moves what is in the pipe on to the destination, as far as it takes it.
    func drainPipe() -> Outcome {
        guard let pipe else { return .waiting }
        while inPipe > 0 {
            switch destination.socket.splice(from: pipe, limit: inPipe) {
            case .moved(let count):
                inPipe = max(0, inPipe &- count)
                spliced &+= UInt64(count)
                self.count(count)
            case .wouldBlock:
                return .waiting
            case .endOfStream:
                // The pipe is empty although bytes were put into it: what they were is lost, which ends the connection.
                return .destinationFailed(Self.tookNothing)
            case .failed(let error):
                return .destinationFailed(error)
            }
        }
        return .waiting
    }
}
