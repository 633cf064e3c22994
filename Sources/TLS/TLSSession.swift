internal import COpenSSL
internal import Glibc
public import Sockets

/// One TLS session over a non-blocking socket, as the server or as the client.
///
/// Owned by its leg, on the worker's thread; not `Sendable`. It reads and writes the socket and does not own it: the leg ends
/// the session before it closes the socket.
public final class TLSSession {
    /// The result of a step of the handshake.
    public enum Step: Hashable, Sendable {
        /// The handshake is complete.
        case done
        /// Continue when the socket is readable.
        case wantsRead
        /// Continue when the socket is writable.
        case wantsWrite
        /// The socket has failed.
        case failed(Errno)
        /// The handshake has failed, and the peer was sent an alert if that was possible.
        case refused(TLSFailure)
    }

    /// How the peer ended its half.
    public enum End: Hashable, Sendable {
        /// With close_notify.
        case inOrder
        /// With a FIN alone, so that nothing proves that the stream is complete.
        case truncated
    }

    /// The largest plaintext of a record (RFC 8446, section 5.1).
    private static let record = 16 << 10
    /// Handshake messages of the peer after the handshake that are accepted in a second: KeyUpdate, and a client's tickets.
    private static let mostMessages = 100
    /// Bytes of the socket that one step of the handshake, or a write, may read. A step needs less than a quarter of it.
    private static let stepBudget = 64 << 10

    let ssl: OpaquePointer
    let wire: TLSWire
    /// OpenSSL's callbacks use the context.
    let server: TLSServerContext?
    let client: TLSClientContext?
    /// The key of the client context's cache.
    let peer: String
    /// The name that the server's certificate must have; nil if no name is checked.
    let requiredName: String?

    /// Why the session has failed; nil if it has not.
    public private(set) var failure: TLSFailure?
    /// How the peer has ended its half; nil if it has not.
    public private(set) var end: End?
    /// The handshake is complete.
    public private(set) var isEstablished = false
    /// A FIN without close_notify is a failure.
    public var refusesTruncation = false
    /// `read` has more bytes, the end or an error, which epoll does not report.
    public private(set) var hasMore = false
    /// The last read found that an answer to the peer has to be sent first (KeyUpdate), and the socket has no room for it:
    /// read again when it is writable. It is readable all the time.
    public private(set) var readWaitsForRoom = false

    /// What every later read returns.
    private var readEnd: Transfer?
    /// What every later write returns.
    private var writeError: Errno?
    private var hasSentEnd = false
    /// Bytes that the socket had taken when the last byte of the stream was sent.
    private var sentWithData: UInt64 = 0
    private var problem: CertificateProblem?
    /// The client's server name that no certificate can have.
    private var refusedName: String?
    /// The client's application protocols, none of which the server allows: separated by commas, printable.
    private var refusedApplications: String?
    private var sentAlert: TLSAlert?
    private var messages = 0
    private var messagesSince: UInt64 = 0
    private var hasTooManyMessages = false

    /// A session with a client. `received`: bytes that were read from the socket before. Nil without memory.
    public init?(_ context: TLSServerContext, fd: CInt, received: [UInt8] = []) {
        guard let ssl = context.makeSession() else { return nil }
        self.ssl = ssl
        (server, client, peer, requiredName) = (context, nil, "", nil)
        wire = TLSWire(fd: fd, received: received)
        count(1)
        guard attach() else { return nil }
        SSL_set_accept_state(ssl)
    }

    /// A session with a server. `name`: its name, or its address if `isAddress`. `peer` distinguishes servers of one name in
    /// the cache of sessions.
    public init?(_ context: TLSClientContext, to name: String, isAddress: Bool, peer: String, fd: CInt) {
        guard let ssl = context.makeSession(to: name, isAddress: isAddress) else { return nil }
        self.ssl = ssl
        (server, client, self.peer, requiredName) = (nil, context, "\(name) \(peer)", name)
        wire = TLSWire(fd: fd, received: [])
        count(1)
        guard attach() else { return nil }
        SSL_set_connect_state(ssl)
        if let session = context.resumable(with: self.peer) {
            SSL_set_session(ssl, session)
            SSL_SESSION_free(session)
        }
    }

    private func attach() -> Bool {
        guard let bio = wire.makeBIO() else { return false }
        SSL_set_bio(ssl, bio, bio)
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        return true
    }

    deinit {
        // OpenSSL would forbid to resume a session that a reset or a FIN has ended. A failed one stays forbidden.
        if isEstablished, failure == nil { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        SSL_free(ssl)
        count(-1)
    }

    private func count(_ change: Int) {
        #if DEBUG
            server?.sessions.add(change)
            client?.sessions.add(change)
        #endif
    }

    // MARK: The handshake

    /// Observes the encrypted bytes and the keys; to be set before the first step. Nil: neither is observed, and no key
    /// leaves OpenSSL.
    public var observer: TLSObserver? {
        get { wire.observer }
        set {
            wire.observer = newValue
            guard newValue != nil else { return }
            server?.exportKeys()
            client?.exportKeys()
        }
    }

    /// Continues the handshake.
    public func handshake() -> Step {
        defer {
            wire.moreFollows = false
            wire.passHeld()
        }
        wire.budget = Self.stepBudget
        OpenSSL.clearErrors()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
            SSL_set_default_read_buffer_len(ssl, TLSContext.readAhead)
            wire.isHolding = false
            hasMore = SSL_has_pending(ssl) == 1 || wire.hasReceived
            return .done
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_SYSCALL, SSL_ERROR_ZERO_RETURN:
            if let error = wire.error { return .failed(error) }
            return .refused(fail(.endedInHandshake))
        default:
            return .refused(fail(OpenSSL.takeError()))
        }
    }

    private func fail(_ error: OpenSSLError?) -> TLSFailure {
        if let problem { return fail(.certificate(problem)) }
        if let refusedName { return fail(.serverName(refusedName)) }
        if let refusedApplications { return fail(.application(offered: refusedApplications)) }
        if error?.reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE { return fail(.certificateMissing) }
        if let alert = error?.receivedAlert { return fail(.alert(alert)) }
        if !isEstablished, sentAlert == nil, !PlainOpening.isTLS(wire.opening) {
            return fail(.notTLS(PlainOpening(wire.opening)))
        }
        let words = error.map { "\($0)" } ?? "no reason given"
        return fail(isEstablished ? .invalidRecord(words) : .protocolError(words))
    }

    private func fail(_ cause: TLSFailure.Cause) -> TLSFailure {
        let failure = self.failure ?? TLSFailure(cause, sentAlert: sentAlert)
        self.failure = failure
        return failure
    }

    /// Whether the peer has sent anything.
    public var hasRead: Bool { wire.hasRead }

    // MARK: Reading

    /// Reads until the buffer has `limit` bytes, or nothing more can be read now. Fewer bytes than `limit` mean that the
    /// session holds no more; the socket may, and epoll reports that. `fromSocket` false: only what was received before
    /// is decrypted.
    public func read(into buffer: ByteBuffer, limit: Int, fromSocket: Bool = true) -> Transfer {
        if let readEnd { return readEnd }
        // Records and messages without a byte of the stream must not keep the loop: the rest comes in its next turn.
        readWaitsForRoom = false
        wire.budget = fromSocket ? limit + limit / 8 + Self.record : 0
        wire.endsWhenEmpty = true
        defer { wire.endsWhenEmpty = false }
        let transfer = buffer.withMutableBytes(limit: limit) { bytes -> Transfer in
            var filled = 0
            while filled < bytes.count {
                var count = 0
                OpenSSL.clearErrors()
                let result = SSL_read_ex(ssl, bytes.baseAddress.map { $0 + filled }, bytes.count - filled, &count)
                if hasTooManyMessages { readEnd = refuseMessages() }
                guard result == 1, readEnd == nil else {
                    readEnd = readEnd ?? endOfReading(result)
                    break
                }
                filled += count
                if wire.budget <= 0, SSL_has_pending(ssl) == 0 { break }
            }
            return filled > 0 ? .moved(filled) : readEnd ?? .wouldBlock
        }
        if case .moved(let count) = transfer {
            hasMore = readEnd != nil || count >= limit && SSL_has_pending(ssl) == 1
        } else {
            hasMore = false
        }
        return transfer
    }

    /// Copies the next bytes and leaves them to be read: at most those of one record.
    public func peek(into buffer: ByteBuffer, limit: Int) -> Transfer {
        if let readEnd { return readEnd }
        wire.budget = Self.stepBudget
        return buffer.withMutableBytes(limit: limit) { bytes -> Transfer in
            var count = 0
            OpenSSL.clearErrors()
            let result = SSL_peek_ex(ssl, bytes.baseAddress, bytes.count, &count)
            if hasTooManyMessages {
                hasMore = false
                let refusal = refuseMessages()
                readEnd = refusal
                return refusal
            }
            if result == 1 {
                hasMore = true
                return .moved(count)
            }
            hasMore = false
            readEnd = endOfReading(result)
            return readEnd ?? .wouldBlock
        }
    }

    /// Why nothing could be read; nil if more may come.
    private func endOfReading(_ result: CInt) -> Transfer? {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ:
            return nil
        case SSL_ERROR_WANT_WRITE:
            readWaitsForRoom = true
            return nil
        case SSL_ERROR_ZERO_RETURN:
            end = .inOrder
            return .endOfStream
        case SSL_ERROR_SYSCALL where wire.error != nil:
            return wire.error.map { .failed($0) }
        case SSL_ERROR_SYSCALL where wire.hasEnded:
            end = .truncated
            guard refusesTruncation else { return .endOfStream }
            _ = fail(.truncated)
            return .failed(.protocolError)
        default:
            _ = fail(OpenSSL.takeError())
            return .failed(.protocolError)
        }
    }

    private func refuseMessages() -> Transfer {
        _ = fail(.tooManyKeyUpdates)
        writeError = .protocolError
        return .failed(.protocolError)
    }

    // MARK: Writing

    /// Writes bytes of a buffer, as many as the socket has room for. After `wouldBlock`, or fewer than `count`, the next call
    /// must begin with the bytes that were not taken, and have at least as many of them as one record or all that were left.
    public func write(_ buffer: ByteBuffer, from offset: Int, count: Int) -> Transfer {
        buffer.withBytes(from: offset, count: count) { span in span.withUnsafeBytes { write($0) } }
    }

    /// Writes bytes, at least one; as above.
    public func write(_ bytes: ArraySlice<UInt8>) -> Transfer {
        bytes.withUnsafeBytes { write($0) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        if let writeError { return .failed(writeError) }
        wire.budget = Self.stepBudget
        // An alert or an answer of the handshake waits for nothing.
        defer { wire.moreFollows = false }
        var sent = 0
        while sent < bytes.count {
            var count = 0
            OpenSSL.clearErrors()
            let length = min(bytes.count - sent, Self.record)
            wire.moreFollows = sent + length < bytes.count
            let result = SSL_write_ex(ssl, bytes.baseAddress.map { $0 + sent }, length, &count)
            guard result == 1 else {
                writeError = errorOfWriting(result)
                break
            }
            sent += count
        }
        guard sent > 0 else { return writeError.map { .failed($0) } ?? .wouldBlock }
        sentWithData = wire.sent
        return .moved(sent)
    }

    /// Sends close_notify, once; the caller ends the socket's half or closes it next. False: the socket has no room;
    /// call again when it is writable. After an error nothing can be sent, which the next read or write reports.
    public func endWriting() -> Bool {
        guard isEstablished, failure == nil, writeError == nil, !hasSentEnd else { return true }
        OpenSSL.clearErrors()
        // The FIN follows at once, in the same segment.
        wire.moreFollows = true
        defer { wire.moreFollows = false }
        let result = SSL_shutdown(ssl)
        if result < 0, SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE { return false }
        hasSentEnd = true
        OpenSSL.clearErrors()
        return true
    }

    /// Bytes of TLS's own that were sent after the last byte of the stream: close_notify, and without any such byte also the
    /// handshake and its tickets.
    public var sentAfterData: UInt64 { wire.sent &- sentWithData }

    /// Nil: the socket has no room.
    private func errorOfWriting(_ result: CInt) -> Errno? {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return nil
        case SSL_ERROR_SYSCALL where wire.error != nil: return wire.error
        default:
            _ = fail(OpenSSL.takeError())
            return .protocolError
        }
    }

    // MARK: OpenSSL's callbacks

    func note(_ event: CInt, _ value: CInt) {
        if event & SSL_CB_WRITE_ALERT == SSL_CB_WRITE_ALERT {
            let alert = TLSAlert(number: UInt8(truncatingIfNeeded: value))
            if alert != .closeNotify { sentAlert = alert }
        } else if !isEstablished, event & SSL_CB_LOOP != 0, SSL_get_state(ssl) == TLS_ST_SR_FINISHED {
            // The ticket of TLS 1.3 shares a segment with the first bytes for the client. The kernel sends it alone
            // after 200 ms. No client waits for it, but in TLS 1.2 a client waits for the message that follows.
            wire.moreFollows = SSL_version(ssl) >= TLS1_3_VERSION
        } else if isEstablished, event & SSL_CB_LOOP != 0, SSL_get_state(ssl) == TLS_ST_OK {
            countMessage(at: Clock.nanoseconds)
        }
    }

    /// A handshake message after the handshake. Each one costs a derivation of keys, and no byte of the stream comes with it.
    private func countMessage(at now: UInt64) {
        if Clock.elapsed(from: messagesSince, to: now) >= 1_000_000_000 {
            messagesSince = now
            messages = 0
        }
        messages += 1
        guard messages > Self.mostMessages else { return }
        hasTooManyMessages = true
        // Ends the loop inside of SSL_read, which would read on for as long as such messages come.
        wire.budget = 0
    }

    func refused(_ problem: CertificateProblem) { self.problem = problem }

    func refused(name: String) { refusedName = OpenSSL.plain(name.utf8) }

    func refused(applications: [[UInt8]]) {
        refusedApplications = applications.map { OpenSSL.plain($0) }.joined(separator: ", ")
    }
}
