public import TLS
internal import Text

extension TLSSettings {
    /// The settings of `--tls-cert` and `--tls-key`, which are read and checked. The error begins with the option.
    public init(chain: String, key: String, scope: String) throws(ValueError) {
        let chainText = try Self.read(chain, "--tls-cert")
        let keyText = try Self.read(key, "--tls-key")
        self.init(certificates: [Certificate(chain: chain, key: key)])
        let failure: TLSCredentialError
        do throws(TLSCredentialError) {
            let credential = try TLSCredential(chain: chainText, key: keyText)
            try credential.check(at: WallClock.now / 1_000_000_000)
            do throws(TLSServerContext.CredentialFailure) {
                let context = try TLSServerContext(credentials: [credential], scope: scope)
                loaded = LoadedTLS(
                    context, files: [LoadedFile(path: chain, digest: credential.digest)],
                    expiries: [TLSExpiry(file: chain, kind: .certificate, seconds: credential.expiry)],
                    remarks: TLSRemark.of(credential, in: chain, as: .server))
                return
            } catch {
                failure = error.error
            }
        } catch {
            failure = error
        }
        if failure == .exchanged {
            throw ValueError(
                "--tls-cert: \(quoted(chain)) has a private key and no certificate: --tls-cert and --tls-key are exchanged"
            )
        }
        throw ValueError(
            failure.isOfKey
                ? "--tls-key: \(TLSAdvice.words(key, failure))" : "--tls-cert: \(TLSAdvice.words(chain, failure))")
    }

    /// The settings of `--tls-cert auto`.
    public init(
        issuer: CertificateIssuer, authority: Authority, scope: String
    ) throws(LocalAuthorityError) {
        self.init(certificates: [])
        self.authority = authority
        do throws(TLSCredentialError) {
            let expiry = TLSExpiry(
                file: authority.path, kind: .authority, seconds: issuer.authority.certificate.notAfter)
            loaded = LoadedTLS(try TLSServerContext(issuer: issuer, scope: scope), expiries: [expiry])
        } catch {
            throw .failed(error)
        }
    }

    fileprivate static func read(_ path: String, _ option: String) throws(ValueError) -> [UInt8] {
        do throws(ValueError) {
            return try ConfigurationFile.read(path, onlyPlainFiles: true, most: TLSFiles.most)
        } catch {
            throw ValueError("\(option): \(quoted(path)) \(error.message)")
        }
    }
}

extension UpstreamTLSSettings {
    /// The settings of `--tls-ca`, `--tls-server-name` and `--tls-insecure`; the authorities are read, and all is
    /// checked. The error begins with the option.
    public init(authorities: Authorities, serverName: String? = nil, isVerified: Bool) throws(ValueError) {
        self.init(
            authorities: authorities, serverName: try serverName.map(Self.checked(serverName:)),
            verify: isVerified ? .full : .off)
        var path = ""
        var text: [UInt8] = []
        if isVerified {
            path = try Self.path(authorities)
            text = try TLSSettings.read(path, "--tls-ca")
        }
        do throws(TLSCredentialError) {
            let trust = isVerified ? try TLSTrust(authorities: text) : nil
            loaded = LoadedTLS(
                try TLSClientContext(verify: verify, trust: trust),
                files: [LoadedFile(path: path, digest: TLSTrust.digest(text))],
                expiries: authorities == .system
                    ? [] : trust.map { [TLSExpiry(file: path, kind: .authority, seconds: $0.expiry)] } ?? [])
        } catch {
            throw ValueError("--tls-ca: \(TLSAdvice.authority(path, error, isOfClients: false, isOption: true))")
        }
    }

    private static func checked(serverName name: String) throws(ValueError) -> String {
        do throws(ValueError) {
            guard case .exactly(let name) = try ServerName(parsing: name) else {
                throw ValueError("\(quoted(name)) is no name of one server")
            }
            return name
        } catch {
            throw ValueError("--tls-server-name: \(error.message)")
        }
    }

    private static func path(_ authorities: Authorities) throws(ValueError) -> String {
        if case .file(let path) = authorities { return path }
        guard let path = TLSTrust.systemFile else {
            throw ValueError(
                "this system has no bundle of certificate authorities; install ca-certificates, or use --tls-ca or "
                    + "--tls-insecure")
        }
        return path
    }
}
