internal import Sockets

/// The splice pump: from socket to pipe to socket inside the kernel.
///
/// A pipe is full when its slots are, although it may have room in bytes: "would block" from socket to pipe means that the
/// socket is empty only if the pipe is.
extension Flow {
    var hasRoomInPipe: Bool {
        guard let pipe else { return false }
        return inPipe < pipe.capacity
    }

    /// `sourceIsReadable`: an event has reported it, and not only that the destination has room again.
    func splice(sourceIsReadable: Bool) -> Outcome {
        guard let pipe else { return copy() }
        var budget = Limits.perEvent
        var isFirst = true
        while true {
            let room = pipe.capacity - inPipe
            switch source.splice(into: pipe, limit: room) {
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
                // Less than there was room for: the source is empty, or the slots were full and epoll reports it again.
                if count < room || budget <= 0 { return .waiting }
                isFirst = false
            case .endOfStream:
                // Also returned at an urgent mark with the end behind it: only a copy shows which.
                leavePipe()
                return copy()
            case .wouldBlock:
                // The pipe is empty here. A source that polls readable and yet gives nothing is at an urgent mark, which only
                // a copy gets past; the flow splices again when it has shown that it streams.
                guard isFirst, sourceIsReadable || source.hasFailed else { return foundNothing() }
                leavePipe()
                return copy()
            case .failed(let error):
                // Also returned at an urgent mark with bytes behind it: only a copy shows that there are none.
                leavePipe()
                return source.hasFailed ? copy() : .sourceFailed(error)
            }
        }
    }

    /// A tap was attached while the flow spliced: the bytes in the pipe are not recorded, and the flow copies after them.
    func emptyPipe() -> Outcome {
        let outcome = drainPipe()
        guard case .waiting = outcome else { return outcome }
        if isBlocked {
            waits.insert(.destination)
            return .waiting
        }
        leavePipe()
        return move(sourceIsReadable: true)
    }

    /// Reads on into the pipe while the destination has no room, so that the source's window stays open.
    func fillPipe() -> Outcome {
        guard let pipe else { return .waiting }
        switch source.splice(into: pipe, limit: pipe.capacity - inPipe) {
        case .moved(let count):
            inPipe += count
            return .waiting
        case .wouldBlock, .endOfStream:
            // The slots are full, or the source is empty, or has ended, perhaps behind an urgent mark: in every case,
            // nothing can be read before the pipe has moved.
            waits.insert(.destination)
            return .waiting
        case .failed(let error):
            // Perhaps at an urgent mark: the bytes behind it are read when the pipe has moved.
            waits.insert(.destination)
            return source.hasFailed ? .waiting : .sourceFailed(error)
        }
    }

    /// Moves bytes from the pipe to the destination, as many as it takes.
    func drainPipe() -> Outcome {
        guard let pipe else { return .waiting }
        while inPipe > 0 {
            switch destination.splice(from: pipe, limit: inPipe) {
            case .moved(let count):
                inPipe = max(0, inPipe &- count)
                spliced &+= UInt64(count)
                self.count(count)
            case .wouldBlock:
                return .waiting
            case .endOfStream:
                // The pipe is empty although bytes were put into it: they are lost, which ends the connection.
                return .destinationFailed(Self.tookNothing)
            case .failed(let error):
                return .destinationFailed(error)
            }
        }
        return .waiting
    }
}
