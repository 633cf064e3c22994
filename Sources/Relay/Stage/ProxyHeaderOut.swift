internal import Configuration
internal import EventLoop
internal import ProxyProtocol
internal import Sockets
internal import TLS

/// Sends the upstream a PROXY header before anything else.
final class ProxyHeaderOut: Stage {
    /// What the upstream's socket has not taken yet.
    private var unsent: ArraySlice<UInt8>

    init(_ version: ProxyProtocolSettings.Version, _ context: StageContext) {
        var header = ProxyHeader(
            version: version == .v1 ? .v1 : .v2,
            // Receivers may refuse an AF_UNIX client (HAProxy and Envoy do), but not a header without addresses.
            endpoints: context.clientAddress.isUnix
                ? nil : .init(source: context.clientAddress, destination: context.reachedAddress),
            extensions: context.extensions)
        context.extensions = []
        if version == .v2, let session = context.client.session, session.isEstablished {
            header.set(ProxyHeader.Session(session))
        }
        if version == .v2, header.endpoints != nil, header.uniqueID == nil {
            let uniqueID = context.shared.uniqueID(of: context.id)
            header.extensions.append(.init(type: ProxyHeader.ExtensionType.uniqueID, value: Array(uniqueID.utf8)))
            context.proxy = (context.proxy ?? ProxyFacts()).sending(uniqueID: uniqueID)
        }
        unsent = header.bytes[...]
    }

    var side: Side { .upstream }
    /// The connection still counts as connecting.
    var waitsFor: LiveConnection.Wait { .connect }
    var deadline: StageDeadline? { nil }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        if let outcome = leg.send(all: &unsent) { return outcome }
        return .done
    }
}

extension ProxyHeader.Session {
    /// The client's session.
    fileprivate init(_ session: TLSSession) {
        let certificate = session.peerCertificate
        self.init(version: session.version, cipher: session.cipher, hasCertificate: certificate != nil)
        commonName = certificate?.commonName
        serverName = session.serverName
        application = session.application
        isResumed = session.isResumed
    }
}
