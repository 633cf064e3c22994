internal import EventLoop
internal import Logging
internal import Sockets

/// A connection's deadlines, and the checks made only every few seconds.
extension Connection {
    /// Since accept, nanoseconds of the monotonic clock.
    var age: Int64 { Int64(clamping: EventLoop.nanoseconds(since: acceptedTicks)) }
    /// The upstream's name is being looked up.
    var isWaitingForName: Bool { dialer?.isWaitingForName ?? false }

    /// Ends the connection if a deadline has passed. Returns when to check again, by the loop's clock. Activity only
    /// moves that later; anything that makes it earlier notifies the worker.
    func checkDeadlines(_ now: UInt64) -> UInt64 {
        let limits = relay.timeouts
        var next = UInt64.max
        /// Whether a limit that counts from a moment has passed; 0 is off.
        func isOver(_ limit: UInt64, since start: UInt64) -> Bool {
            guard limit > 0 else { return false }
            let (deadline, isEndless) = start.addingReportingOverflow(limit)
            if isEndless { return false }
            if now >= deadline { return true }
            next = min(next, deadline)
            return false
        }
        if isOver(limits.lifetime, since: startedAt) {
            end(because: .lifetime)
            return next
        }
        if let drainsUntil {
            if now >= drainsUntil {
                end(because: .drained)
                return next
            }
            next = min(next, drainsUntil)
        }
        switch state.phase {
        case .preparing, .greeting, .refusing:
            if let stages, let deadline = stages.current?.deadline {
                if isOver(deadline.limit, since: stages.since) { end(because: deadline.reason) }
            } else if state.phase == .greeting, isOver(limits.connect, since: connectingSince) {
                end(because: .connectTimeout)
            }
        case .connecting:
            if let retryAt = upstreamWait?.retryAt {
                if now >= retryAt { retry() } else { next = min(next, retryAt) }
            } else if isOver(limits.connect, since: connectingSince) {
                connectTimedOut()
            }
        case .relaying, .passingReset:
            guard let up, let down else { break }
            let lastProgress = max(up.lastProgress, down.lastProgress)
            if state.failedSide != nil {
                let bound = limits.halfClose > 0 ? limits.halfClose : RelayRuntime.Timeouts.resetBound
                if isOver(bound, since: max(halfEndedAt, lastProgress)) { happened(.resetMayPass) }
            } else if up.isHeldUp || down.isHeldUp {
                // The recording is slow, and no event reports when that changes.
                next = min(next, now)
            } else if isOver(limits.idle, since: lastProgress) {
                end(because: .idleTimeout)
            } else if limits.halfClose > 0, state.isHalfClosed {
                let open = state.up == .ended ? down : up
                if open.isBlocked || open.destination.unsentBytes > 0 {
                    // A flow that waits for its reader is not abandoned, and neither is one whose bytes the socket
                    // still holds for its reader: ending it would discard them. No event reports when that changes.
                    halfEndedAt = now
                    next = min(next, now)
                } else if isOver(limits.halfClose, since: max(halfEndedAt, open.lastProgress)) {
                    end(because: .halfCloseTimeout)
                }
            }
        case .ended:
            break
        }
        return next
    }

    /// Its relay was removed: it may continue until the deadline. A later deadline does not replace an earlier one.
    func drain(until deadline: UInt64) {
        drainsUntil = drainsUntil ?? deadline
    }

    func noteHalfEnded() {
        halfEndedAt = worker.loop.now
        let bound = relay.timeouts.halfClose
        worker.note(deadline: bound > 0 ? bound : RelayRuntime.Timeouts.resetBound, from: halfEndedAt)
    }

    /// Resetting a socket discards what it has not sent, and no event reports an empty send queue: it is polled, often at
    /// first.
    func awaitSent(_ side: Side) {
        guard let leg = leg(side), !leg.isUnix, !leg.hasFailed, leg.unsentBytes > 0 else {
            return happened(.resetMayPass)
        }
        // epoll reports nothing for a leg that rests, and the queue of one that was reset never empties.
        if leg.hasHungUp, let error = leg.takeError() { return fail(leg, error) }
        let timer = resetTimer ?? Timer(loop: worker.loop) { [unowned self] in awaitSent(side) }
        resetTimer = timer
        timer.start(after: UInt64(resetDelay))
        resetDelay = min(resetDelay * 2, 50)
    }

    // MARK: Holding the client until the upstream is up

    /// Handles a failed attempt. Returns whether the client is held and the upstream is tried again.
    func isHeld(after failure: DialFailure) -> Bool {
        let limit = relay.timeouts.wait
        guard limit > 0, state.phase == .connecting else { return false }
        let settings = upstreamSettings
        let wait = upstreamWait ?? UpstreamWait(since: connectingSince, limit: limit)
        let now = worker.loop.now
        // Names that clients request would keep the name service busy.
        let isRequestedName = failure.isOfName && settings.proxy == nil && stages?.context.request != nil
        let isHeld = wait.hold(after: failure, at: now) && !isRequestedName
        guard isHeld || upstreamWait != nil else { return false }
        // The record of a connection that was not held counts its only failure.
        worker.countConnectFailure(failure.reason, of: self)
        guard isHeld, let retryAt = wait.retryAt else { return false }
        worker.note(deadline: retryAt &- now, from: now)
        if upstreamWait == nil {
            upstreamWait = wait
            worker.shared.beginHolding(
                HeldClient(
                    relay: relay.name, upstream: (settings.proxy ?? destination).text, reason: failure.reason,
                    sentence: sentence(of: failure), limit: limit))
        }
        return true
    }

    /// A failed attempt in the words of a connection that ended with it.
    private func sentence(of failure: DialFailure) -> String {
        var record = ConnectionRecord(
            self, ended: .init(time: acceptedAt, duration: 0, reason: failure.reason, errno: failure.errno))
        record.upstreamAddress = failure.address ?? record.upstreamAddress
        return record.failureSentence ?? failure.reason.rawValue
    }

    private func retry() {
        upstreamWait?.retry()
        dial()
    }

    /// An attempt took longer than `timeouts.connect`.
    private func connectTimedOut() {
        let failure = DialFailure(reason: .connectTimeout, errno: nil, address: dialer?.lastTried)
        dialer?.cancel()
        if !isHeld(after: failure) { end(because: .connectTimeout) }
    }

    /// If the client is held, ends the connection with the reason of the last attempt.
    func refuseHeld() {
        guard let failure = upstreamWait?.failure, state.phase == .connecting else { return }
        dialer?.cancel()
        happened(.connectFailed(failure.reason, failure.errno))
    }

    /// The upstream is connected, or the connection ends, or its client gets a reply that there is no upstream.
    func endHolding(isConnected: Bool) {
        guard let upstreamWait, upstreamWait.isHolding else { return }
        upstreamWait.end(at: isConnected ? connectingSince : worker.loop.now, isConnected: isConnected)
        worker.shared.endHolding()
    }

    /// A configuration with other settings of its relay has come into force. A held client has no upstream yet, so it gets
    /// the new one, and an attempt begins at once if that differs. The connection may be over when this returns.
    func takeUpstream(of settings: RelayRuntime) {
        guard state.phase == .connecting, let upstreamWait else { return }
        let (formerDestination, formerProxy) = (destination, upstreamSettings.proxy)
        upstreamWait.relay = settings
        guard takeStages(of: settings) else { return end(because: .tlsNotRouted) }
        guard destination != formerDestination || settings.proxy != formerProxy else { return }
        upstreamWait.retry()
        dial()
    }

    private func setUpstreamKeepalive() {
        hasUpstreamKeepalive = true
        do {
            try upstream?.setKeepalive()
        } catch {
            worker.logger.debug(
                "keepalive refused by the system",
                metadata: ["connection": .stringConvertible(id), "error": "\(error.name)"])
        }
    }

    /// Checks that are needed only every few seconds: dead peers, legs that cannot be watched, pipes of quiet flows.
    /// The connection may be over when this returns.
    func checkHealth(_ now: UInt64) {
        if state.isOpening { return checkHungUp(client) }
        if !hasUpstreamKeepalive { setUpstreamKeepalive() }
        for side in [Side.client, .upstream] {
            guard state.isMoving else { return }
            guard let leg = leg(side), !leg.hasFailed, let inflow = flow(to: leg), let outflow = flow(from: leg)
            else { continue }
            checkHungUp(leg)
            guard !leg.hasFailed, state.isMoving else { continue }
            if DeadPeer.isDead(leg, delivered: inflow.delivered, now: now, limit: worker.shared.deadPeerAfter) {
                fail(leg, .timedOut)
            }
            if Monotonic.elapsed(from: outflow.lastProgress, to: now) >= 1000 { outflow.rest() }
        }
        settle()
    }

    /// Polls a leg that left the epoll set because both its halves have ended. That lasts as long as the other side
    /// does not read and is no error, but a reset since then is.
    private func checkHungUp(_ leg: Leg) {
        if leg.hasHungUp, leg.hasFailedOrEnded, let error = leg.takeError() { fail(leg, error) }
    }
}
