internal import Relay
internal import Sockets
internal import Text

/// Which side of an open connection waits, and for what. Pure.
struct Waits: Hashable, Sendable {
    /// The awaited event.
    enum Subject: String, CaseIterable, Hashable, Sendable {
        /// The client's PROXY header.
        case header = "proxy_header"
        /// The client's TLS ClientHello.
        case hello = "tls_hello"
        /// The client's request for a destination.
        case request
        /// A TLS handshake.
        case clientHandshake = "tls_handshake"
        case upstreamHandshake = "upstream_tls_handshake"
        /// The name service, or the upstream's accept.
        case name, connect
        /// The upstream to come up: connecting is tried again.
        case upstreamUp = "upstream_up"
        /// A side that does not read what the other has sent.
        case clientReads = "client_reads"
        case upstreamReads = "upstream_reads"
        case bothRead = "both_read"
        /// A side whose turn it is to send: no bytes are in transit.
        case clientSends = "client_sends"
        case upstreamSends = "upstream_sends"
        /// No byte has been sent yet.
        case anyoneSends = "anyone_sends"
        /// The bytes before a reset are still being delivered.
        case sent
        /// Its recording, which must be complete and whose buffer is full.
        case recording
    }

    /// The awaited event.
    let subject: Subject
    /// The time since the last byte, in milliseconds.
    let milliseconds: UInt64

    /// The shortest wait in milliseconds.
    static let threshold = LiveConnection.FlowState.shortestWait

    /// Nil while bytes move.
    init?(_ live: LiveConnection) {
        let heldUp = [live.up, live.down].filter { $0.awaitsRecording && $0.quiet >= Self.threshold }
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
                case .request: .request
                case .reply: .sent
                case .clientHandshake: .clientHandshake
                case .upstreamHandshake: .upstreamHandshake
                case .name: .name
                case .upstreamUp: .upstreamUp
                case .connect, nil: .connect
                }
            let hold = live.wait == .upstreamUp ? live.record.hold : nil
            milliseconds = hold?.held ?? Milliseconds.of(nanoseconds: live.age)
            return
        case .resetting:
            subject = .sent
        case .open, .halfClosed:
            let quiet = min(live.up.quiet, live.down.quiet)
            let upstreamBlocks = live.up.isBlocked
            let clientBlocks = live.down.isBlocked
            guard quiet >= Self.threshold || upstreamBlocks || clientBlocks else { return nil }
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
        // The side that sent last waits.
        case (true, true): return live.up.quiet <= live.down.quiet ? .upstreamSends : .clientSends
        }
    }
}
