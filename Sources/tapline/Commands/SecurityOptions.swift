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

    @Flag(
        name: .customLong("tls-insecure"),
        help:
            "Do not verify upstreams of the form tls:HOST:PORT: any machine on the way can pretend to be the upstream.")
    var isInsecure = false

    @Option(
        name: .customLong("tls-cert"),
        help: ArgumentHelp(
            "The certificate for listeners of the form tls:PORT, with its intermediate ones, as PEM.", valueName: "file"
        ),
        completion: .file())
    var certificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: ArgumentHelp("The private key of --tls-cert, as PEM.", valueName: "file"), completion: .file())
    var key: String?

    /// Adds the settings to a relay whose SPEC asks for TLS. The error is a clause that begins with the option.
    func apply(to relay: inout RelaySettings, directory: String) throws(ValueError) {
        if relay.tls != nil {
            guard let certificate, let key else {
                throw ValueError("--tls-cert and --tls-key are needed for a listener of the form tls:PORT")
            }
            relay.tls = try TLSSettings(
                chain: absolute(certificate, directory), key: absolute(key, directory), scope: relay.name)
        }
        if relay.upstreamTLS != nil {
            relay.upstreamTLS = try UpstreamTLSSettings(
                authorities: authorities.map { .file(absolute($0, directory)) } ?? .system, isVerified: !isInsecure)
        }
    }

    /// Options that no SPEC of these relays needs, as a clause; nil if there are none.
    func misplaced(for relays: [RelaySettings]) -> String? {
        if certificate != nil || key != nil, relays.allSatisfy({ $0.tls == nil }) {
            return "--tls-cert and --tls-key are for listeners of the form tls:PORT, such as tls:8443=localhost:8080"
        }
        if authorities != nil || isInsecure, relays.allSatisfy({ $0.upstreamTLS == nil }) {
            return "--tls-ca and --tls-insecure are for upstreams of the form tls:HOST:PORT, such as "
                + "8080=tls:api.example.com:443"
        }
        if authorities != nil, isInsecure { return "--tls-insecure verifies nothing, so --tls-ca has no use" }
        return nil
    }

    private func absolute(_ path: String, _ directory: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}
