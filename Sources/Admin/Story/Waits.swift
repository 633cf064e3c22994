internal import Relay
internal import Sockets

/// Who waits for whom on an open connection. Pure.
struct Waits: Hashable, Sendable {
    /// What is waited for.
    enum Subject: String, CaseIterable, Hashable, Sendable {
        /// The client's PROXY header.
        case header = "proxy_header"
        /// The client's TLS ClientHello.
        case hello = "tls_hello"
        /// The name service; the upstream to accept.
        case name, connect
        /// A side that does not take what the other has sent.
        case clientReads = "client_reads"
        case upstreamReads = "upstream_reads"
        case bothRead = "both_read"
        /// A side that is next to say something: nothing is on its way.
        case clientSends = "client_sends"
        case upstreamSends = "upstream_sends"
        /// Nothing has been said at all.
        case anyoneSends = "anyone_sends"
        /// What was sent before a reset has to get through.
        case sent
        /// Its recording, which must be whole and has no room for more.
        case recording
    }

    /// What is waited for.
    let subject: Subject
    /// For how long no byte has moved, milliseconds.
    let milliseconds: UInt64

    /// Bytes that moved within so many milliseconds mean that nobody waits.
    static let patience: UInt64 = 500

    /// Nil where bytes move.
    init?(_ live: LiveConnection) {
        let heldUp = [live.up, live.down].filter { $0.awaitsRecording && $0.quiet >= Self.patience }
        if let longest = heldUp.map(\.quiet).max() {
            subject = .recording
            milliseconds = longest
            return
        }
        switch live.state {
        case .connecting:
            subject =
                switch live.wait {
                case .proxyHeader: .header
                case .clientHello: .hello
                case .name: .name
                case .connect, nil: .connect
                }
            milliseconds = UInt64(max(0, live.age)) / 1_000_000
            return
        case .resetting:
            subject = .sent
        case .open, .halfClosed:
            let quiet = min(live.up.quiet, live.down.quiet)
            let upstreamBlocks = Self.isBlocked(live.up, live.upstream)
            let clientBlocks = Self.isBlocked(live.down, live.client)
            guard quiet >= Self.patience || upstreamBlocks || clientBlocks else { return nil }
            switch (clientBlocks, upstreamBlocks) {
            case (true, true): subject = .bothRead
            case (true, false): subject = .clientReads
            case (false, true): subject = .upstreamReads
            case (false, false): subject = Self.nextToSpeak(live)
            }
            if subject == .clientReads || subject == .upstreamReads {
                milliseconds = subject == .clientReads ? live.down.quiet : live.up.quiet
                return
            }
        }
        milliseconds = min(live.up.quiet, live.down.quiet)
    }

    /// Whether bytes wait for a leg and none of them has moved for a while: held by Tapline, or in the kernel's queue.
    private static func isBlocked(_ flow: LiveConnection.FlowState, _ leg: LiveConnection.LegState?) -> Bool {
        guard flow.quiet >= patience else { return false }
        return flow.held > 0 || (leg?.kernel?.sendQueue ?? 0) > 0
    }

    private static func nextToSpeak(_ live: LiveConnection) -> Subject {
        switch (live.up.hasEnded, live.down.hasEnded) {
        case (true, false): return .upstreamSends
        case (false, true): return .clientSends
        case (true, true), (false, false): break
        }
        switch (live.up.hasMoved, live.down.hasMoved) {
        case (false, false): return .anyoneSends
        case (true, false): return .upstreamSends
        case (false, true): return .clientSends
        // Whoever spoke last is the one who waits.
        case (true, true): return live.up.quiet <= live.down.quiet ? .upstreamSends : .clientSends
        }
    }
}
