internal import COpenSSL
internal import Text

/// What a relay needs to speak TLS with its clients: certificates chosen by server name, and how clients prove who they are.
///
/// Immutable; any thread. Sessions keep it, so it may be replaced while they are open.
public final class TLSServerContext: Sendable {
    /// Which clients may connect.
    public struct Clients: Sendable {
        /// The authorities of their certificates.
        public var trust: TLSTrust
        /// A client without a certificate is refused.
        public var isRequired: Bool
        /// Which of the valid ones may connect.
        public var allowed: TLSAllowList

        /// A check of clients.
        public init(trust: TLSTrust, isRequired: Bool, allowed: TLSAllowList = TLSAllowList()) {
            self.trust = trust
            self.isRequired = isRequired
            self.allowed = allowed
        }
    }

    /// The contexts by name. A context has all certificates of one name, one for each type of key.
    private let contexts: [TLSContext]
    private let exact: [String: Int]
    /// By the part after the star, with its dot.
    private let wildcards: [String: Int]
    private let verification: TLSVerification
    private let applications: Applications
    let ticketKeys: TLSTicketKeys
    /// Issues the certificates; nil where `contexts` have them.
    private let issuer: CertificateIssuer?
    /// The names of the clients that may connect, for messages; nil if no certificate is asked for.
    let requiresClient: Bool
    /// When every client's certificate is refused, because a revocation list has no successor: seconds since 1970 UTC.
    private let revocationExpiry: Int64?
    #if DEBUG
        let sessions = SessionCount()
        /// How many of its sessions exist; for tests.
        package var openSessions: Int { sessions.value }
    #endif

    /// The application protocols that a server chooses from, in its order of preference.
    final class Applications: Sendable {
        let encoded: [UInt8]
        init(_ names: [String]) { encoded = TLSContext.encode(applications: names) }
    }

    /// At least one credential; the first one is used for clients without a server name, or with an unknown one. `scope`
    /// distinguishes relays: a ticket of one scope is worth nothing in another. Throws the error, and the index of its
    /// credential.
    public init(
        credentials: [TLSCredential], clients: Clients? = nil, minimum: TLSVersion = .tls12,
        applications: [String] = [],
        scope: String = "", ticketKeys: TLSTicketKeys = .process
    ) throws(CredentialFailure) {
        precondition(!credentials.isEmpty, "TLSServerContext: no certificate")
        let verification = TLSVerification(mode: clients == nil ? .off : .chain, allowed: clients?.allowed ?? .init())
        self.verification = verification
        self.applications = Applications(applications)
        self.ticketKeys = ticketKeys
        issuer = nil
        requiresClient = clients?.isRequired ?? false
        revocationExpiry = clients?.trust.revocationExpiry
        let choice = CertificateChoice(credentials.map { $0.certificate.serverNames }, credentials.map(\.keyType))
        exact = choice.exact
        wildcards = choice.wildcards
        var made: [TLSContext] = []
        do throws(CredentialFailure) {
            for group in choice.groups {
                let context: TLSContext
                do throws(TLSCredentialError) {
                    context = try TLSContext(isServer: true, minimum: minimum)
                } catch {
                    throw CredentialFailure(index: group[0], error: error)
                }
                made.append(context)
                for index in group {
                    do throws(TLSCredentialError) {
                        try context.use(credentials[index])
                    } catch {
                        throw CredentialFailure(index: index, error: error)
                    }
                }
            }
        } catch {
            for context in made { context.free() }
            contexts = []
            throw error
        }
        contexts = made
        for context in made {
            setUp(context.pointer, clients, scope)
            tapline_ctx_on_server_name(
                context.pointer, { TLSServerContext.chooseContext($0, $1, $2) },
                Unmanaged.passUnretained(self).toOpaque())
        }
    }

    /// A certificate for each server name that a client sends, from an issuer.
    public init(
        issuer: CertificateIssuer, scope: String = "", ticketKeys: TLSTicketKeys = .process
    ) throws(TLSCredentialError) {
        contexts = [try TLSContext(isServer: true, minimum: .tls12)]
        (exact, wildcards) = ([:], [:])
        verification = TLSVerification(mode: .off)
        applications = Applications([])
        self.ticketKeys = ticketKeys
        self.issuer = issuer
        requiresClient = false
        revocationExpiry = nil
        let context = contexts[0].pointer
        setUp(context, nil, scope)
        tapline_ctx_on_server_name(context, { ssl, alert, _ in TLSServerContext.checkName(ssl, alert) }, nil)
        SSL_CTX_set_cert_cb(
            context, { ssl, argument in TLSServerContext.useIssued(ssl, argument) },
            Unmanaged.passUnretained(issuer).toOpaque())
    }

    deinit {
        for context in contexts { context.free() }
    }

    /// Which credential cannot be used, and why.
    public struct CredentialFailure: Error, Sendable {
        /// The index of the credential.
        public let index: Int
        /// Why.
        public let error: TLSCredentialError
    }

    private func setUp(_ context: OpaquePointer, _ clients: Clients?, _ scope: String) {
        // Tickets only: a cache of the server's would be one more thing to share and to bound.
        tapline_ctx_set_cache_mode(context, CLong(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_num_tickets(context, 1)
        ticketKeys.install(in: context)
        verification.install(in: context)
        var identity = Array(scope.utf8)
        if let clients {
            let mode = SSL_VERIFY_PEER | (clients.isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0)
            SSL_CTX_set_verify(context, mode, nil)
            tapline_ctx_set_trust(context, clients.trust.store)
            for authority in clients.trust.authorities { SSL_CTX_add_client_CA(context, authority) }
            // A client that other rules have admitted must prove its identity again.
            identity += clients.trust.digest + Array("\(clients.isRequired) \(clients.allowed)".utf8)
            SSL_CTX_set_session_ticket_cb(
                context, nil, { ssl, session, _, _, status, _ in TLSServerContext.judge(ssl, session, status) }, nil)
        }
        let digest = identity.withUnsafeBytes { Digest.sha256($0) }
        SSL_CTX_set_session_id_context(context, digest, CUnsignedInt(digest.count))
        if !applications.encoded.isEmpty {
            SSL_CTX_set_alpn_select_cb(
                context, { TLSServerContext.chooseApplication($0, $1, $2, $3, $4, $5) },
                Unmanaged.passUnretained(applications).toOpaque())
        }
    }

    func makeSession() -> OpaquePointer? { SSL_new(contexts[0].pointer) }

    /// A session has an observer. Its server name may choose any of the contexts.
    func exportKeys() {
        for context in contexts { context.exportKeys() }
    }

    /// Whether OpenSSL writes keys for sessions; for tests.
    var exportsKeys: Bool { contexts.contains(where: \.exportsKeys) }

    // MARK: OpenSSL's callbacks

    /// What becomes of a ticket. OpenSSL checks no certificate again when it resumes a session, and each session brings the
    /// next ticket: without this, a client would be admitted after the end of its certificate for as long as it comes back.
    private static func judge(
        _ ssl: OpaquePointer?, _ session: OpaquePointer?, _ status: SSL_TICKET_STATUS
    ) -> SSL_TICKET_RETURN {
        guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
            return SSL_TICKET_RETURN_IGNORE_RENEW
        }
        let now = WallClock.now / 1_000_000_000
        let context = ssl.flatMap { TLSSession.session(of: $0) }?.server
        let isOver = context?.revocationExpiry.map { $0 <= now } ?? false
        let peer = session.flatMap { SSL_SESSION_get0_peer($0) }
        guard let peer, isOver || TLSCertificate.end(of: peer) <= now else {
            return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
        }
        return SSL_TICKET_RETURN_IGNORE_RENEW
    }

    private static func chooseContext(
        _ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<CInt>?, _ argument: UnsafeMutableRawPointer?
    ) -> CInt {
        guard let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        let context = Unmanaged<TLSServerContext>.fromOpaque(argument)._withUnsafeGuaranteedRef {
            $0.context(for: String(cString: name))
        }
        guard let context else { return SSL_TLSEXT_ERR_NOACK }
        SSL_set_SSL_CTX(ssl, context.pointer)
        return SSL_TLSEXT_ERR_OK
    }

    /// Whether a certificate has a name, or is issued for it.
    func hasCertificate(for name: String) -> Bool { issuer != nil || context(for: name) != nil }

    private func context(for name: String) -> TLSContext? {
        var name = name.lowercased()[...]
        if name.hasSuffix(".") { name = name.dropLast() }
        if let index = exact[String(name)] { return contexts[index] }
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return nil }
        return wildcards[String(name[dot...])].map { contexts[$0] }
    }

    /// With an issuer: refuses a name that no certificate can have.
    private static func checkName(_ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<CInt>?) -> CInt {
        guard let ssl, let text = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        let name = String(cString: text)
        if RequestedName(name) != nil { return SSL_TLSEXT_ERR_OK }
        TLSSession.session(of: ssl)?.refused(name: name)
        alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// With an issuer: sets the certificate of a handshake that does not resume a session. 0 ends the handshake.
    private static func useIssued(_ ssl: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> CInt {
        guard let ssl, let argument else { return 0 }
        let issuer = Unmanaged<CertificateIssuer>.fromOpaque(argument).takeUnretainedValue()
        let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).flatMap { RequestedName(String(cString: $0)) }
        let local = TLSSession.session(of: ssl)?.localAddress
        guard let certificate = issuer.certificate(for: name, local: local) else { return 0 }
        // OpenSSL counts its own references from here on.
        return withExtendedLifetime(certificate) {
            let key = issuer.authority.leafKey.pointer
            return SSL_use_certificate(ssl, certificate.pointer) == 1 && SSL_use_PrivateKey(ssl, key) == 1 ? 1 : 0
        }
    }

    private static func chooseApplication(
        _ ssl: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ length: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredLength: CUnsignedInt,
        _ argument: UnsafeMutableRawPointer?
    ) -> CInt {
        guard let argument, let chosen, let length, let offered else { return SSL_TLSEXT_ERR_NOACK }
        let own = Unmanaged<Applications>.fromOpaque(argument).takeUnretainedValue().encoded
        // The choice may point into the server's list, which must then outlive the call; the same bytes are in the client's.
        guard let position = ALPN.choose(own, from: UnsafeBufferPointer(start: offered, count: Int(offeredLength)))
        else {
            let offered = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
            ssl.flatMap { TLSSession.session(of: $0) }?.refused(applications: ALPN.names(offered))
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }
        length.pointee = offered[position]
        chosen.pointee = offered + position + 1
        return SSL_TLSEXT_ERR_OK
    }
}

/// The choice of an application protocol.
enum ALPN {
    /// The protocols of a list in wire form, at most eight.
    static func names(_ list: some Collection<UInt8>) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var rest = Array(list)[...]
        while let length = rest.first, names.count < 8 {
            names.append(Array(rest.dropFirst().prefix(Int(length))))
            rest = rest.dropFirst(1 + Int(length))
        }
        return names
    }

    /// The position, in the client's list, of the first protocol of the server's that the client offers; nil if none is. Both
    /// in wire form; OpenSSL has checked the client's.
    static func choose(_ own: [UInt8], from offered: some RandomAccessCollection<UInt8>) -> Int? {
        var rest = own[...]
        while let length = rest.first {
            let name = rest.dropFirst().prefix(Int(length))
            var position = 0
            while position < offered.count {
                let start = offered.index(offered.startIndex, offsetBy: position)
                let count = Int(offered[start])
                if offered[start...].dropFirst().prefix(count).elementsEqual(name), count == name.count {
                    return position
                }
                position += 1 + count
            }
            rest = rest.dropFirst(1 + Int(length))
        }
        return nil
    }
}

/// Which certificates belong together, and for which names. Pure.
struct CertificateChoice: Hashable {
    /// Indices of certificates, the default group first: at most one of each type of key.
    private(set) var groups: [[Int]] = []
    /// The group of each name.
    private(set) var exact: [String: Int] = [:]
    /// The group of each wildcard, by the part after its star.
    private(set) var wildcards: [String: Int] = [:]

    /// The names and the key type of each certificate. Of two certificates with one name and one type of key, the first one is
    /// used.
    init(_ names: [[String]], _ types: [CInt]) {
        func group(_ name: String) -> [Int] {
            var seen: Set<CInt> = []
            return names.indices.filter { names[$0].contains(name) && seen.insert(types[$0]).inserted }
        }
        groups.append(names[0].first.map(group) ?? [0])
        for name in names.joined() {
            let members = group(name)
            let index = groups.firstIndex(of: members) ?? groups.endIndex
            if index == groups.endIndex { groups.append(members) }
            if name.hasPrefix("*.") { wildcards[String(name.dropFirst())] = index } else { exact[name] = index }
        }
    }
}
