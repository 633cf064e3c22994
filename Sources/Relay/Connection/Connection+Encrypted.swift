internal import Configuration
internal import EventLoop
internal import Recorder
internal import Recording
internal import Sockets
internal import TLS
internal import Text

/// The encrypted bytes and the keys of a connection's TLS sessions.
extension Connection {
    /// A session is about to begin on a leg: attaches the recordings that include encrypted bytes, and the key log.
    func observe(_ session: TLSSession, on leg: Leg) {
        let encrypted = beginRecording(encrypted: leg)
        let keyLog = upstreamSettings.settings.writesKeyLog ? worker.shared.keyLog : nil
        guard encrypted != nil || keyLog != nil else { return }
        session.observer = TLSObserver(
            keys: { line in
                keyLog?.append(line)
                encrypted?.add(key: line)
            },
            bytes: encrypted.map { encrypted in { bytes, way in encrypted.record(bytes, way) } })
    }

    /// The handshake with a side is complete.
    func sessionBegan(with side: Side) {
        guard !taps.isEmpty, let session = stages?.context.tls?.sessions.first(where: { $0.side == side }) else {
            return
        }
        taps.secured(session)
    }

    /// A recording of a connection whose handshakes are perhaps complete.
    func noteSessions(in tap: ConnectionTap) {
        for session in stages?.context.tls?.sessions ?? [] { tap.secured(session) }
    }

    private func beginRecording(encrypted leg: Leg) -> EncryptedLeg? {
        guard let context = stages?.context else { return nil }
        let dialogue = context.takeDialogue(with: leg.side)
        guard !worker.taps.isEmpty else { return nil }
        var recorders: [Recorder] = []
        worker.taps.forEach(of: relay.identity) { recorder in
            let plan = recorder.plan
            guard plan.includesEncrypted, plan.selection.includes(id, from: clientAddress) else { return }
            recorders.append(recorder)
        }
        guard !recorders.isEmpty else { return nil }
        let origin = origin(of: leg, number: context.encryptedLegs.takeNumber())
        // The leg is connected, and perhaps has had a dialogue.
        let ticks =
            leg.side == .client ? acceptedTicks : dialogue.messages.first?.ticks ?? EventLoop.nanoseconds
        let peer = leg.side == .client ? listenerAddress : origin.local
        let encrypted = EncryptedLeg(
            leg.side, origin,
            taps: recorders.map { recorder in
                let tap = ConnectionTap(
                    recorder: recorder, producer: worker.producer(to: recorder), origin: origin, acceptedTicks: ticks)
                tap.connected(to: peer, ticks: ticks)
                return tap
            })
        context.encryptedLegs.add(encrypted)
        encrypted.record(dialogue)
        return encrypted
    }

    /// A leg with its own addresses: that with the upstream begins at Tapline.
    private func origin(of leg: Leg, number: UInt8) -> ConversationOrigin {
        let isClient = leg.side == .client
        let own = leg.localAddress ?? listenerAddress
        let destination = destination
        return ConversationOrigin(
            id: id, relay: relay.name, client: isClient ? peerAddress : own, listener: listenerAddress,
            local: isClient ? leg.localAddress(at: listenerAddress) : upstreamAddress ?? listenerAddress,
            upstream: destination.text, upstreamName: isClient ? nil : destination.endpoint?.hostName,
            upstreamPort: nil, accepted: isClient ? acceptedAt : WallClock.now,
            leg: ConversationOrigin.Leg(side: leg.side, number: number))
    }

    /// An attempt to connect the upstream has failed, perhaps in its handshake.
    func endEncryptedUpstream(_ failure: DialFailure) {
        // The next attempt has its own.
        _ = stages?.context.takeDialogue(with: .upstream)
        stages?.context.encryptedLegs.end(
            .upstream,
            ConversationEnd(
                time: WallClock.now, reason: failure.reason.rawValue, closedBy: failure.reason.closedBy.rawValue,
                errno: failure.errno?.name, bytesUp: 0, bytesDown: 0, recordedBytes: 0, droppedBytes: 0))
    }
}
