import Configuration
import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing
import Text

@testable import Recorder
@testable import Recording
@testable import Relay

/// Random events and faults on one connection. After each of them, every byte that was read from a socket is accounted for:
/// delivered, held, or discarded, and discarded bytes have an end reason. A failure names its seed; `TAPLINE_TEST_SEED`
/// runs it again.
@Suite struct ConservationTests {
    private static let seed: UInt64 = getenv("TAPLINE_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_130
    private static let runs: UInt64 = 40

    /// The stages before the first byte, and the pump that the bytes take.
    enum Kind: CaseIterable, Sendable {
        case plain, headerIn, headerOut, hello, headerAndHello, requested, recordedWhole
    }

    @Test(arguments: Kind.allCases) func everyByte_isDelivered_orHeld_orDiscardedWithAReason(kind: Kind) async throws {
        try await LoopHarness.run { harness in
            var reasons: Set<EndReason> = []
            for number in 0..<Self.runs {
                let seed = Self.seed &+ number
                do {
                    reasons.insert(try Self.run(kind, seed, harness))
                } catch {
                    throw TestFailure("TAPLINE_TEST_SEED=\(seed), \(kind): \(error)")
                }
            }
            // The random events must cover what they are meant to cover.
            #expect(reasons.isSuperset(of: [.clientReset, .upstreamReset, .killed]))
            #expect(!reasons.isDisjoint(with: [.clientClosed, .upstreamClosed]))
        }
    }

    private static func run(_ kind: Kind, _ seed: UInt64, _ harness: LoopHarness) throws -> EndReason {
        var reason: EndReason?
        let listener = try PeerListener()
        guard let port = listener.address.port else { throw TestFailure("no port") }
        // A small buffer, so that destinations block.
        try OneWorker.run(port: port, sendBuffer: 1 << 14, harness, change: { change(&$0, kind) }) { worker in
            reason = try Run(kind, worker, SeededRandom(seed: seed)).run(listener)
        }
        guard let reason else { throw TestFailure("the connection did not end") }
        return reason
    }

    private static func change(_ relay: inout RelaySettings, _ kind: Kind) {
        relay.timeouts.idle = .seconds(30)
        switch kind {
        case .plain, .recordedWhole:
            break
        case .headerIn:
            relay.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback)
        case .headerOut:
            relay.proxyProtocol = ProxyProtocolSettings(send: .v1)
        case .requested:
            relay.upstream = .requested
        case .hello, .headerAndHello:
            relay.tlsRouting = TLSRoutingSettings(routes: [.init(applications: ["never"])])
            if kind == .headerAndHello { relay.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback, send: .v2) }
        }
    }
}

/// One connection and its random events, on the loop's own thread, so that nothing changes between two of them.
private final class Run {
    /// A peer's end: non-blocking, with the content of what it sends and receives.
    private final class End {
        var socket: Socket
        let pattern: UInt8
        /// Bytes to send before the pattern begins.
        var preface: [UInt8] = []
        var sent = 0
        var received: [UInt8] = []
        var isOpen = true
        var hasEnded = false

        init(_ socket: consuming Socket, pattern: UInt8) {
            self.socket = socket
            self.pattern = pattern
        }

        /// A part of the content. The content repeats after 64 KiB, which is not a multiple of any buffer's size.
        func content(_ range: Range<Int>) -> ArraySlice<UInt8> {
            let start = range.lowerBound % Self.period
            return content[start..<start + range.count]
        }

        private static let period = 65_521
        private lazy var content: [UInt8] = (0..<Self.period + 200_000).map { index in
            let position = index % Self.period
            return UInt8(truncatingIfNeeded: position &* 31 &+ (position >> 8)) ^ pattern
        }

        /// The first position at which bytes differ from the content.
        func difference(_ bytes: ArraySlice<UInt8>) -> Int? {
            var position = 0
            while position < bytes.count {
                let count = min(200_000, bytes.count - position)
                let piece = bytes[(bytes.startIndex + position)..<(bytes.startIndex + position + count)]
                let isEqual = piece.withUnsafeBytes { left in
                    content(position..<position + count).withUnsafeBytes { right in
                        guard let left = left.baseAddress, let right = right.baseAddress else { return false }
                        return memcmp(left, right, count) == 0
                    }
                }
                guard isEqual else { return position }
                position += count
            }
            return nil
        }

        /// Sends the preface first.
        func send(_ count: Int) {
            guard isOpen, !hasEnded else { return }
            if !preface.isEmpty {
                if case .moved(let moved) = socket.send(preface.prefix(count)) { preface.removeFirst(moved) }
                return
            }
            if case .moved(let moved) = socket.send(content(sent..<sent + count)) { sent += moved }
        }

        func receive(_ count: Int) {
            guard isOpen else { return }
            let buffer = ByteBuffer(capacity: count)
            if case .moved(let moved) = socket.receive(into: buffer, limit: count) {
                buffer.append(count: moved, to: &received)
            }
        }

        /// Everything that is available.
        func drain() {
            guard isOpen else { return }
            let buffer = ByteBuffer(capacity: 1 << 16)
            while case .moved(let moved) = socket.receive(into: buffer, limit: 1 << 16) {
                buffer.append(count: moved, to: &received)
            }
        }

        func endWriting() {
            guard isOpen, !hasEnded else { return }
            hasEnded = true
            socket.endWriting()
        }

        func close(reset: Bool) {
            guard isOpen else { return }
            isOpen = false
            if reset { socket.resetOnClose() }
            socket.close()
        }
    }

    private let kind: ConservationTests.Kind
    private let worker: OneWorker
    private var random: SeededRandom
    private var connection: Connection?
    private var client: End?
    private var upstream: End?
    /// Bytes of the client that Tapline itself reads: a PROXY header.
    private var consumed = 0
    private var ring: (ring: TapRing, producer: RingProducer, live: Any)?

    init(_ kind: ConservationTests.Kind, _ worker: OneWorker, _ random: SeededRandom) {
        self.kind = kind
        self.worker = worker
        self.random = random
    }

    func run(_ listener: PeerListener) throws -> EndReason {
        let client = End(try connect(to: worker.address), pattern: 0x5A)
        self.client = client
        try worker.turn(until: "accepted") { worker.shared.openConnections == 1 }
        let connection = try #require(worker.worker.connection(1))
        self.connection = connection
        if kind == .headerIn || kind == .headerAndHello {
            client.preface = Array("PROXY TCP4 192.0.2.1 192.0.2.2 1111 22\r\n".utf8)
            consumed = client.preface.count
        }
        if kind == .hello || kind == .headerAndHello {
            client.preface += ClientHello(name: "a.test", keyShare: Int.random(in: 32..<3000, using: &random)).bytes(
                record: 700)
        }
        if kind == .requested {
            client.preface = Dialect.http.request("upstream.test", try #require(listener.address.port))
            consumed = client.preface.count
        }
        let wholePreface = client.preface
        // Some runs end before the upstream is connected.
        while !client.preface.isEmpty, worker.endedCount == 0 {
            if Int.random(in: 0..<40, using: &random) == 0 { fault() }
            client.send(Int.random(in: 1...max(1, client.preface.count), using: &random))
            try turn()
        }
        if worker.endedCount == 0 {
            let lookup = try worker.lookup(1)
            if !client.preface.isEmpty || Int.random(in: 0..<20, using: &random) == 0 { fault() }
            lookup.answer(.success([.ipv4(.loopback, port: 0)]))
            try turn()
        }
        if worker.endedCount == 0 {
            try worker.turn(until: "connected") { listener.isAwaited || worker.endedCount > 0 }
            upstream = listener.isAwaited ? End(try accept(listener), pattern: 0xC3) : nil
            if kind == .recordedWhole { try recordWhole() }
        }
        for _ in 0..<Int.random(in: 5..<40, using: &random) where worker.endedCount == 0 {
            // Sometimes several events reach the loop in one turn.
            for _ in 0..<Int.random(in: 1...3, using: &random) { step() }
            try turn()
        }
        try finish()
        let record = try #require(try worker.ended().last)
        try checkEnd(record, wholePreface)
        client.close(reset: false)
        upstream?.close(reset: false)
        ring?.producer.releaseReservation()
        if let live = ring?.live { withExtendedLifetime(live) { worker.shared.recordings.finish(within: 30_000) } }
        return try #require(record.end?.reason)
    }

    private func connect(to address: SocketAddress) throws -> Socket {
        let socket = try Socket(family: address.family)
        guard socket.connect(to: address) == .connected else { throw TestFailure("not connected") }
        return socket
    }

    private func accept(_ listener: PeerListener) throws -> Socket {
        let fd = Glibc.accept(listener.fd, nil, nil)
        guard fd >= 0, fcntl(fd, F_SETFL, O_NONBLOCK) == 0 else { throw TestFailure("accept: errno \(errno)") }
        return Socket(adopting: fd)
    }

    /// A recording that must be complete, whose ring is emptied only now and then.
    private func recordWhole() throws {
        guard let connection, let exchange = connection.exchange else { return }
        let ring = try TapRing(capacity: 1 << 20)
        let live = try #require(
            try worker.shared.recordings.makeLive(relay: nil, connection: nil, includesEncrypted: false))
        let producer = RingProducer(
            ring: ring, isWhole: true, workers: 1, ordinaryRead: Flow.Limits.read, loop: worker.harness.loop,
            hooks: RingProducer.Hooks(wake: {}, hasRoom: {}))
        let address = SocketAddress.ipv4(.loopback, port: 1)
        let tap = ConnectionTap(
            recorder: live.recorder, producer: producer,
            origin: ConversationOrigin(
                id: 1, relay: "relay", client: address, listener: address, local: address, upstream: "up",
                upstreamName: nil, upstreamPort: 2, accepted: WallClock.now),
            acceptedTicks: connection.acceptedTicks)
        let taps = FlowTaps([tap], connection: 1, view: nil)
        exchange.up.taps = taps
        exchange.down.taps = taps
        self.ring = (ring, producer, live)
    }

    private func emptyRing() {
        guard let ring else { return }
        _ = ring.ring.consume { _, _, _ in true }
        connection?.tapHasRoom()
    }

    // MARK: Events

    private func turn() throws {
        turnLoop()
        try checkOpen()
    }

    private func turnLoop() {
        for _ in 0..<3 { worker.harness.loop.turn(wait: false) }
    }

    private func step() {
        guard let client, let upstream else { return }
        let size = Int.random(in: 0..<4, using: &random) == 0 ? 200_000 : 4_000
        let count = Int.random(in: 1...size, using: &random)
        let end = Bool.random(using: &random) ? client : upstream
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: end.send(count)
        case 40..<75: end.receive(count)
        case 75..<80:
            // Enough at once for the flow to stream.
            for _ in 0..<12 {
                end.send(200_000)
                (end === client ? upstream : client).drain()
                turnLoop()
            }
        case 80..<84: end.endWriting()
        case 84..<88: worker.letPass(Int.random(in: 0..<4, using: &random) == 0 ? 31_000 : 5_000)
        case 88..<98: emptyRing()
        default: fault()
        }
    }

    /// An event that ends the connection, or one side of it.
    private func fault() {
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: client?.close(reset: true)
        case 2, 3: upstream?.close(reset: true)
        case 4: worker.post(.kill(1) { _ in })
        default:
            guard let connection else { return }
            connection.watchFailed(connection.upstream ?? connection.client, UVError(code: -ENOSPC))
        }
    }

    /// Both sides end in order, if nothing has ended the connection before.
    private func finish() throws {
        let deadline = Deadline(in: .seconds(60))
        while worker.endedCount == 0 {
            guard !deadline.isOver else { throw TestFailure("the connection does not end") }
            emptyRing()
            for end in [client, upstream] {
                end?.drain()
                end?.endWriting()
            }
            worker.harness.loop.turn(wait: true)
            try checkOpen()
        }
        for end in [client, upstream] { end?.drain() }
    }

    // MARK: The account

    private func checkOpen() throws {
        guard let connection else { return }
        #if DEBUG
            if let exchange = connection.exchange {
                let refused = connection.stages?.context.request?.discarded ?? 0
                try check(exchange.up, exchange.client, consumed + refused)
                try check(exchange.down, exchange.upstream, 0)
            }
        #endif
    }

    private func check(_ flow: Flow, _ source: Leg, _ consumed: Int) throws {
        #if DEBUG
            let known = flow.delivered + UInt64(flow.held) + flow.discarded + UInt64(source.bufferedBytes + consumed)
            guard source.received == known else {
                throw TestFailure(
                    "\(flow.direction): \(source.received) read; \(flow.delivered) delivered, \(flow.held) held, "
                        + "\(flow.discarded) discarded, \(source.bufferedBytes) buffered, \(consumed) consumed")
            }
        #endif
    }

    private func checkEnd(_ record: ConnectionRecord, _ preface: [UInt8]) throws {
        guard let connection, let client, let reason = record.end?.reason else { throw TestFailure("no end") }
        let isOrderly = reason == .clientClosed || reason == .upstreamClosed
        guard let exchange = connection.exchange else {
            guard record.bytesUp == 0, record.bytesDown == 0 else { throw TestFailure("bytes without an upstream") }
            return
        }
        try checkOpen()
        let prefaceUp = Array(preface.dropFirst(consumed))
        for (flow, from, to, first, counted) in [
            (exchange.up, client, upstream, prefaceUp, record.bytesUp),
            (exchange.down, upstream ?? client, Optional(client), [], record.bytesDown),
        ] {
            guard flow.held == 0, counted == flow.delivered else {
                throw TestFailure("\(flow.direction): \(flow.held) held, \(counted) in the record")
            }
            guard flow.discarded == 0 || !isOrderly else {
                throw TestFailure("\(flow.direction): \(flow.discarded) discarded, but \(reason)")
            }
            guard let to, flow === exchange.up || upstream != nil else { continue }
            var received = to.received
            if flow === exchange.up, kind == .headerOut || kind == .headerAndHello {
                received = withoutHeader(received)
            }
            if flow === exchange.down, kind == .requested { received = Dialect.http.withoutReply(received) }
            if isOrderly, to.isOpen, Int(flow.delivered) != first.count + from.sent || received.count != flow.delivered
            {
                throw TestFailure(
                    "\(flow.direction): \(from.sent) sent, \(flow.delivered) delivered, \(received.count) received")
            }
            guard received.count <= flow.delivered else { throw TestFailure("more received than delivered") }
            guard received.prefix(first.count).elementsEqual(first.prefix(received.count)),
                from.difference(received.dropFirst(first.count)) == nil
            else { throw TestFailure("\(flow.direction): wrong bytes") }
        }
    }

    /// Without the PROXY header that Tapline sent.
    private func withoutHeader(_ bytes: [UInt8]) -> [UInt8] {
        if kind == .headerOut {
            guard let end = bytes.firstIndex(of: 0x0A) else { return [] }
            return Array(bytes[(end + 1)...])
        }
        guard bytes.count >= 16 else { return [] }
        return Array(bytes.dropFirst(16 + Int(bytes[14]) << 8 + Int(bytes[15])))
    }
}
