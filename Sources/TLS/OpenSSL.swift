internal import COpenSSL

/// The library itself: its setup, its error queue, and its texts.
enum OpenSSL {
    /// Set up once per process: without the system's `openssl.cnf`, which could change versions, ciphers and engines of a
    /// binary that has OpenSSL linked in, and without a handler at exit, because threads may still use it then.
    static let isReady = OPENSSL_init_ssl(tapline_init_options, nil) == 1

    /// Empties this thread's queue of errors, as every call requires whose result SSL_get_error(3) examines. It is
    /// almost always empty: a look at it costs a third of emptying it.
    @inline(__always)
    static func clearErrors() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// The oldest error in this thread's queue, which this call empties; nil if there is none.
    static func takeError() -> OpenSSLError? {
        let code = ERR_get_error()
        ERR_clear_error()
        return code == 0 ? nil : OpenSSLError(code: code)
    }

    /// What a memory BIO contains after `write`, as text; other bytes than printable ASCII are replaced.
    static func text(_ write: (OpaquePointer) -> Void) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        write(bio)
        let bytes = [UInt8](unsafeUninitializedCapacity: 1024) { buffer, count in
            count = max(0, Int(BIO_read(bio, buffer.baseAddress, CInt(buffer.count))))
        }
        return plain(bytes)
    }

    /// Text of a peer: printable ASCII without double quotes and backslashes, other bytes as `?`, of bounded length.
    static func plain(_ bytes: some Collection<UInt8>) -> String {
        let isPlain = { (byte: UInt8) in byte >= 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C }
        return String(decoding: bytes.prefix(512).map { isPlain($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

/// One entry of OpenSSL's error queue.
struct OpenSSLError: Hashable, Sendable, CustomStringConvertible {
    let code: UInt

    var reason: CInt { ERR_GET_REASON(code) }

    /// The alert that the peer has sent, if that is the error: OpenSSL adds 1000 to its number.
    var receivedAlert: TLSAlert? {
        guard ERR_GET_LIB(code) == ERR_LIB_SSL, (1000..<1256).contains(reason) else { return nil }
        return TLSAlert(number: UInt8(reason - 1000))
    }

    /// OpenSSL's words, after plainer ones for those that are seen most.
    var description: String {
        guard let text = ERR_reason_error_string(code) else { return "OpenSSL error \(code)" }
        return plainWords.map { "\($0) (\(String(cString: text)))" } ?? String(cString: text)
    }

    private var plainWords: String? {
        guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return nil }
        switch reason {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNKNOWN_PROTOCOL, SSL_R_VERSION_TOO_LOW:
            return "no version in common"
        case SSL_R_NO_SHARED_CIPHER: return "no cipher suite in common"
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return "no signature algorithm in common"
        default: return nil
        }
    }
}
