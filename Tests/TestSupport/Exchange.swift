internal import Glibc

/// What one end of a randomised transfer does: how much it sends, in pieces of which size, how it reads, how it ends.
public struct Script: Hashable, Sendable {
    /// How this end ends its half.
    public enum Ending: Hashable, Sendable {
        /// A FIN after its last byte.
        case fin
        /// A FIN after the other end's FIN has arrived.
        case finAfterTheOther
        /// A reset once everything sent has been acknowledged.
        case reset
    }

    /// Bytes to send.
    public var count: Int
    /// The largest piece of a send, and of a read.
    public var sendPiece: Int
    /// The largest piece of a read.
    public var receivePiece: Int
    /// The byte that is sent out of band, if any.
    public var urgent: Int?
    /// How it ends.
    public var ending: Ending
    /// The source of random sizes.
    public var seed: UInt64

    /// A random script.
    public static func random(_ random: inout SeededRandom, isTCP: Bool) -> Script {
        let most = [0, 2000, 2000, 2000, 200_000, 200_000, 200_000, 200_000, 3_000_000].randomElement(using: &random)
        let count = Int.random(in: 0...(most ?? 0), using: &random)
        let isTiny = count < 10_000 && Bool.random(using: &random)
        let readsSlowly = count < 200_000 && Bool.random(using: &random)
        let hasUrgent = isTCP && count > 0 && Int.random(in: 0..<5, using: &random) == 0
        return Script(
            count: count, sendPiece: isTiny ? 20 : 128 << 10, receivePiece: readsSlowly ? 500 : 256 << 10,
            urgent: hasUrgent ? Int.random(in: 0..<count, using: &random) : nil, ending: .fin, seed: random.next())
    }
}

/// One end of a randomised transfer, which sends and receives at the same time.
public struct Exchange: Sendable {
    private let peer: Peer
    private let script: Script
    private let outgoing: Pattern
    private let incoming: Pattern
    private var random: SeededRandom
    private var sent = 0
    private var received = 0
    private var hasEnded = false
    private var ending: Peer.Ending?
    /// A send failed because of the other end's reset; reads do not report the reset again.
    private var wasReset = false

    /// The script for a connected peer.
    public init(_ peer: Peer, _ script: Script, outgoing: Pattern, incoming: Pattern) {
        self.peer = peer
        self.script = script
        self.outgoing = outgoing
        self.incoming = incoming
        random = SeededRandom(seed: script.seed)
    }

    /// Runs the script. Returns what was received and how it ended; nil for an end that resets before the other has
    /// ended.
    public mutating func run() throws -> (count: Int, ending: Peer.Ending?) {
        let deadline = Deadline()
        while ending == nil || !hasEnded {
            if !hasEnded { try send() }
            if script.ending == .reset, sent == script.count {
                try peer.reset()
                return (received, ending)
            }
            if ending == nil { try receive() }
            guard ending == nil || !hasEnded else { break }
            let wantsToSend = !hasEnded && sent < script.count
            guard wantsToSend || ending == nil else { continue }
            try peer.await(
                (wantsToSend ? POLLOUT : 0) | (ending == nil ? POLLIN : 0),
                "the other end: \(sent) of \(script.count) sent, \(received) received", deadline)
        }
        peer.close()
        return (received, ending)
    }

    private mutating func send() throws {
        if sent < script.count {
            if sent == script.urgent {
                guard peer.trySend(outgoing, at: sent, limit: 1, flags: MSG_OOB) else { return giveUpSendingIfReset() }
                sent += 1
                return
            }
            let limit = min(script.urgent.map { $0 > sent ? $0 - sent : .max } ?? .max, script.count - sent)
            let piece = Int.random(in: 1...script.sendPiece, using: &random)
            guard let count = peer.trySendSome(outgoing, at: sent, limit: min(piece, limit)) else {
                return giveUpSendingIfReset()
            }
            sent += count
        }
        guard sent == script.count else { return }
        switch script.ending {
        case .reset: return
        case .finAfterTheOther where ending == nil: return
        case .fin, .finAfterTheOther:
            peer.endWriting()
            hasEnded = true
        }
    }

    /// After a reset by the other end, nothing more is sent, and the bytes before the reset are read.
    private mutating func giveUpSendingIfReset() {
        guard errno != EAGAIN else { return }
        hasEnded = true
        wasReset = true
    }

    private mutating func receive() throws {
        let piece = Int.random(in: 1...script.receivePiece, using: &random)
        switch try peer.receiveSome(incoming, at: received, limit: piece) {
        case .bytes(let count): received += count
        case .nothing: break
        case .ended(let how):
            ending = wasReset ? .reset : how
            if ending == .reset { hasEnded = true }
        }
    }
}

extension Peer {
    /// Sends one byte with a flag. False on failure; `errno` has the reason.
    fileprivate func trySend(_ pattern: Pattern, at position: Int, limit: Int, flags: Int) -> Bool {
        pattern.withBytes(at: position, limit: limit) {
            Glibc.send(fd, $0.baseAddress, $0.count, CInt(flags) | CInt(MSG_NOSIGNAL))
        } == limit
    }

    /// Sends as many bytes as there is room for. Nil on failure; `errno` has the reason.
    fileprivate func trySendSome(_ pattern: Pattern, at position: Int, limit: Int) -> Int? {
        let sent = pattern.withBytes(at: position, limit: limit) {
            Glibc.send(fd, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        return sent >= 0 ? sent : nil
    }
}
