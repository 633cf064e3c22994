import ArgumentParser
import Configuration
import TLS
import Terminal

/// The options of `forward` for TLS.
struct SecurityOptions: ParsableArguments {
    @Option(
        name: .customLong("tls-ca"),
        help: ArgumentHelp(
            "Verify upstreams of the form tls:HOST:PORT by the certificate authorities in this PEM file. Default: the "
                + "system's.", valueName: "file"), completion: .file())
    var authorities: String?

    @Option(
        name: .customLong("tls-server-name"),
        help: ArgumentHelp(
            "The name that upstreams of the form tls:HOST:PORT are asked for (SNI), and that their certificates must have. "
                + "Default: HOST.", valueName: "name"))
    var serverName: String?

    @Flag(
        name: .customLong("tls-insecure"),
        help:
            "Do not verify upstreams of the form tls:HOST:PORT: any machine on the way can pretend to be the upstream.")
    var isInsecure = false

    @Option(
        name: .customLong("tls-cert"),
        help: ArgumentHelp(
            "The certificate for listeners of the form tls:PORT, with its intermediate ones, as PEM; auto: one for each "
                + "name that clients ask for, by a local CA (see tapline ca).", valueName: "file"),
        completion: .file())
    var certificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: ArgumentHelp("The private key of --tls-cert, as PEM.", valueName: "file"), completion: .file())
    var key: String?

    @Flag(
        name: .customLong("tls-auto-remote"),
        help: "Allow --tls-cert auto for listeners that other machines can reach.")
    var issuesRemotely = false

    @Flag(
        name: .customLong("tls-keylog"),
        help: "Append the keys of TLS sessions to the file that the variable SSLKEYLOGFILE names, for Wireshark.")
    var writesKeyLog = false

    /// The word in place of a file: certificates are issued by the local authority.
    static let automatic = "auto"
    private var isAutomatic: Bool { certificate == Self.automatic }

    /// Adds the settings to a relay whose SPEC asks for TLS. The error is a clause that begins with the option. What
    /// `--tls-cert auto` adds, `issueCertificates` does.
    func apply(to relay: inout RelaySettings, directory: String) throws(ValueError) {
        relay.writesKeyLog = writesKeyLog && relay.hasTLS
        if relay.tls != nil, isAutomatic {
            try checkReach(of: relay)
        } else if relay.tls != nil {
            guard let certificate, let key else {
                throw ValueError(
                    "--tls-cert and --tls-key are needed for a listener of the form tls:PORT, or --tls-cert auto")
            }
            relay.tls = try TLSSettings(
                chain: absolute(certificate, directory), key: absolute(key, directory), scope: relay.name)
        }
        if relay.upstreamTLS != nil {
            relay.upstreamTLS = try UpstreamTLSSettings(
                authorities: authorities.map { .file(absolute($0, directory)) } ?? .system, serverName: serverName,
                isVerified: !isInsecure)
        }
    }

    /// With `--tls-keylog`: refuses to start without a file for the keys, which no key would then be in.
    func checkKeyLog(_ variables: [String: String], in words: [String]) throws {
        guard writesKeyLog, variables[Self.keyLogVariable]?.isEmpty ?? true else { return }
        throw UsageError(
            "--tls-keylog writes to the file in \(Self.keyLogVariable); run: \(Self.keyLogVariable)=keys.log "
                + CommandWords.shellText(words), command: "forward")
    }

    private static let keyLogVariable = "SSLKEYLOGFILE"

    /// Refuses a listener that other machines can reach: only this user's programs should trust the authority.
    private func checkReach(of relay: RelaySettings) throws(ValueError) {
        guard !issuesRemotely, let listener = relay.listen.first(where: { !$0.isLocal }) else { return }
        let port = listener.port ?? 0
        throw ValueError(
            "--tls-cert auto: other machines can reach tls:\(listener), and they do not trust the local CA; listen on "
                + "loopback (tls:\(port)), or allow it with --tls-auto-remote")
    }

    /// With `--tls-cert auto`: lets the local authority issue the certificates of relays, and creates it if there is
    /// none.
    func issueCertificates(for relays: inout [RelaySettings], _ variables: [String: String]) throws {
        guard isAutomatic, relays.contains(where: { $0.tls != nil }) else { return }
        do throws(LocalAuthorityError) {
            let folder = try LocalAuthorityFolder(variables)
            let (authority, isNew) = try folder.loadOrCreate(owner: LocalAuthorityFolder.owner(variables))
            let issuer = CertificateIssuer(authority)
            let settings = TLSSettings.Authority(path: folder.certificatePath, isNew: isNew)
            for index in relays.indices where relays[index].tls != nil {
                relays[index].tls = try TLSSettings(issuer: issuer, authority: settings, scope: relays[index].name)
            }
        } catch {
            throw CommandFailure(authority: error, option: "--tls-cert auto")
        }
    }

    /// Options that no SPEC of these relays needs, as a clause; nil if there are none.
    func misplaced(for relays: [RelaySettings]) -> String? {
        if certificate != nil || key != nil, relays.allSatisfy({ $0.tls == nil }) {
            return "--tls-cert and --tls-key are for listeners of the form tls:PORT, such as tls:8443=localhost:8080"
        }
        if isAutomatic, key != nil { return "--tls-cert auto makes its own keys, so --tls-key has no use" }
        if issuesRemotely, !isAutomatic { return "--tls-auto-remote is for --tls-cert auto" }
        if authorities != nil || isInsecure, relays.allSatisfy({ $0.upstreamTLS == nil }) {
            return "--tls-ca and --tls-insecure are for upstreams of the form tls:HOST:PORT, such as "
                + "8080=tls:api.example.com:443"
        }
        if serverName != nil, relays.allSatisfy({ $0.upstreamTLS == nil }) {
            return "--tls-server-name is for upstreams of the form tls:HOST:PORT, such as 8080=tls:10.0.0.1:443"
        }
        if writesKeyLog, !relays.contains(where: \.hasTLS) {
            return "--tls-keylog is for a SPEC with tls:, such as 8080=tls:api.example.com:443"
        }
        if authorities != nil, isInsecure { return "--tls-insecure verifies nothing, so --tls-ca has no use" }
        return nil
    }

    private func absolute(_ path: String, _ directory: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}
