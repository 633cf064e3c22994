internal import COpenSSL
internal import Glibc
internal import Sockets

/// The encrypted side of a session: an OpenSSL BIO over a non-blocking socket, so that errors and the end of the stream stay
/// visible. A BIO of OpenSSL's own hides both behind `SSL_ERROR_SYSCALL`.
///
/// Owned by its session, on one thread. The socket's owner closes it after the session has ended.
final class TLSWire {
    private let fd: CInt
    /// Bytes that were read from the socket before the session began.
    private var received: ArraySlice<UInt8>
    /// How many bytes of the socket may still be read before the loop has its turn, apart from the last read's; with none,
    /// only what OpenSSL has buffered is decrypted.
    var budget = 0
    /// A read that has emptied the socket ends its reading: the next one would only return EAGAIN.
    var endsWhenEmpty = false
    /// A record, or the FIN, follows soon, so that the socket may join both in one segment (MSG_MORE): a segment for
    /// each record of a long write costs a quarter of the CPU time. The kernel holds bytes back for 200 ms at most.
    var moreFollows = false
    /// The peer has ended its half (FIN).
    private(set) var hasEnded = false
    /// The socket's error.
    private(set) var error: Errno?
    /// Bytes that the socket has taken.
    private(set) var sent: UInt64 = 0
    /// Nil: nothing is observed.
    var observer: TLSObserver?
    /// The handshake is in progress: bytes are passed on after the step that moved them, and the keys that it derived.
    var isHolding = true {
        didSet { if !isHolding { opening = [] } }
    }
    /// The first bytes of the peer, until the handshake is complete.
    private(set) var opening: [UInt8] = []
    private var held: [(way: TLSObserver.Way, bytes: [UInt8])] = []
    private var heldBytes = 0
    /// A handshake needs less; what is more is passed on at once.
    private static let mostHeld = 256 << 10

    init(fd: CInt, received: [UInt8]) {
        self.fd = fd
        self.received = received[...]
        hasRead = !received.isEmpty
    }

    /// One for all sessions: immutable after it was made, and never freed.
    private struct Method: @unchecked Sendable {
        let pointer: OpaquePointer?

        init() {
            pointer = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tapline socket")
            guard let pointer else { return }
            BIO_meth_set_read(pointer) { TLSWire.read($0, $1, $2) }
            BIO_meth_set_write(pointer) { TLSWire.write($0, $1, $2) }
            BIO_meth_set_ctrl(pointer) { TLSWire.control($0, $1, $2, $3) }
        }
    }
    private static let method = Method()

    /// A BIO over this wire, which must outlive it; nil without memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = Self.method.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    /// The address that the peer has connected to; nil if there is none.
    var localAddress: SocketAddress? { Socket.localAddress(of: fd) }

    /// Bytes of the peer were read.
    private(set) var hasRead = false
    #if DEBUG
        /// System calls that have read the socket; for tests.
        private(set) var socketReads = 0
        /// Whether the last write told the kernel that more follows; for tests.
        private(set) var wroteAhead = false
    #endif
    /// Whether bytes that were read before are still to be decrypted.
    var hasReceived: Bool { !received.isEmpty }

    // MARK: OpenSSL's callbacks

    private static func of(_ bio: OpaquePointer?) -> Unmanaged<TLSWire>? {
        BIO_get_data(bio).map { Unmanaged.fromOpaque($0) }
    }

    private static func read(_ bio: OpaquePointer?, _ bytes: UnsafeMutablePointer<CChar>?, _ count: CInt) -> CInt {
        guard let bio, let bytes, count > 0, let wire = of(bio) else { return -1 }
        return wire._withUnsafeGuaranteedRef { $0.read(bio, bytes, Int(count)) }
    }

    private static func write(_ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ count: CInt) -> CInt {
        guard let bio, let bytes, count > 0, let wire = of(bio) else { return -1 }
        return wire._withUnsafeGuaranteedRef { $0.write(bio, bytes, Int(count)) }
    }

    /// Nothing is buffered here, so a flush always succeeds. BIO_CTRL_EOF is answered with 0: OpenSSL would otherwise treat a
    /// FIN without close_notify as a fatal error, after which the session cannot send any more.
    private static func control(
        _ bio: OpaquePointer?, _ command: CInt, _ number: CLong, _ pointer: UnsafeMutableRawPointer?
    ) -> CLong {
        command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0
    }

    private func read(_ bio: OpaquePointer, _ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> CInt {
        tapline_bio_clear_retry(bio)
        if !received.isEmpty { return readReceived(bytes, count) }
        guard budget > 0 else {
            tapline_bio_retry_read(bio)
            return -1
        }
        #if DEBUG
            socketReads += 1
        #endif
        let result = Errno.retrying { recv(fd, bytes, count, 0) }
        if result > 0 {
            hasRead = true
            budget -= result
            if endsWhenEmpty, result < count { budget = 0 }
            noteOpening(UnsafeRawBufferPointer(start: bytes, count: result))
            if observer != nil { observe(UnsafeRawBufferPointer(start: bytes, count: result), .received) }
            return CInt(result)
        }
        if result == 0 {
            if observer != nil, !hasEnded { observe(UnsafeRawBufferPointer(start: nil, count: 0), .received) }
            hasEnded = true
            return 0
        }
        fail(bio, tapline_bio_retry_read)
        return -1
    }

    private func write(_ bio: OpaquePointer, _ bytes: UnsafePointer<CChar>, _ count: Int) -> CInt {
        tapline_bio_clear_retry(bio)
        let flags = CInt(MSG_NOSIGNAL) | (moreFollows ? CInt(MSG_MORE) : 0)
        #if DEBUG
            wroteAhead = moreFollows
        #endif
        let result = Errno.retrying { send(fd, bytes, count, flags) }
        if result > 0 {
            sent &+= UInt64(result)
            if observer != nil { observe(UnsafeRawBufferPointer(start: bytes, count: result), .sent) }
            return CInt(result)
        }
        fail(bio, tapline_bio_retry_write)
        // The peer has reset, but an alert that says why may be in the socket: the handshake goes on, and reads it. Without
        // one, the next read finds the end of the stream, and `error` is the reason.
        return isHolding && error != nil ? CInt(count) : -1
    }

    private func fail(_ bio: OpaquePointer, _ retry: (OpaquePointer?) -> Void) {
        let failure = Errno.current
        if failure.code == EAGAIN { retry(bio) } else { error = failure }
    }

    private func readReceived(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> CInt {
        let piece = received.prefix(count)
        piece.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: bytes, count: count).copyMemory(from: source)
        }
        received = received.dropFirst(piece.count)
        noteOpening(UnsafeRawBufferPointer(start: bytes, count: piece.count))
        if observer != nil { observe(UnsafeRawBufferPointer(start: bytes, count: piece.count), .received) }
        return CInt(piece.count)
    }

    private func noteOpening(_ bytes: UnsafeRawBufferPointer) {
        guard isHolding, opening.count < PlainOpening.most else { return }
        opening += bytes.prefix(PlainOpening.most - opening.count)
    }

    // MARK: The observer

    private func observe(_ bytes: UnsafeRawBufferPointer, _ way: TLSObserver.Way) {
        guard isHolding, heldBytes + bytes.count <= Self.mostHeld else {
            passHeld()
            observer?.bytes?(bytes.bytes, way)
            return
        }
        held.append((way, Array(bytes)))
        heldBytes += bytes.count
    }

    /// Passes on what a step of the handshake has moved.
    func passHeld() {
        guard !held.isEmpty else { return }
        for (way, bytes) in held { observer?.bytes?(bytes.span.bytes, way) }
        held = []
        heldBytes = 0
    }
}
