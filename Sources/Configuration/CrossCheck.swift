internal import Sockets

/// What can only be wrong between relays: names, listeners in each other's way, relays that forward to themselves.
struct CrossCheck {
    /// A claim on an address.
    private struct Claim {
        let owner: String
        let place: ConfigurationPlace?
        /// The admin server is no relay: to forward to it is odd, but no loop.
        let isRelay: Bool
    }

    /// Addresses of one family and port, for finding what a wildcard covers.
    private struct FamilyAndPort: Hashable {
        let family: CInt
        let port: UInt16

        init?(_ address: SocketAddress) {
            // Port 0 is a free one, which is in the way of no other.
            guard let port = address.port, port != 0 else { return nil }
            family = address.family
            self.port = port
        }
    }

    /// All by address, so that the check stays linear in the number of listeners.
    private var claims: [SocketAddress: Claim] = [:]
    private var firstOfPort: [FamilyAndPort: (address: SocketAddress, claim: Claim)] = [:]

    /// Checks the relays of a configuration; `problems` are those of its main file.
    static func report(_ drafts: [RelayDraft], admin: Located<AdminSettings>?, _ problems: Problems) {
        var check = CrossCheck()
        var names: [String: ConfigurationPlace] = [:]
        if let admin,
            let message = check.claim(
                admin.value.listen, owner: "`admin`",
                place: ConfigurationPlace(path: problems.path, mark: admin.mark), isRelay: false)
        {
            problems.report(admin.mark, message)
        }
        for draft in drafts {
            if let name = draft.name {
                if let first = names[name.value] {
                    draft.problems.report(
                        name.mark,
                        "`name`: there is a relay `\(name.value)` already, \(first.words(from: draft.problems.path))")
                } else {
                    names[name.value] = draft.place(name.mark)
                }
            }
            for listen in draft.listen {
                if let message = check.claim(listen.value, owner: draft.title, place: draft.place(listen.mark)) {
                    draft.problems.report(listen.mark, "`listen`: \(message)")
                }
            }
        }
        for draft in drafts {
            for upstream in [draft.upstream].compactMap(\.self) + draft.routedUpstreams {
                guard let message = check.loop(upstream.value, in: draft.problems.path) else { continue }
                draft.problems.report(upstream.mark, "`upstream`: \(message)")
            }
        }
    }

    /// Claims a listener's addresses; the message says whose way it is in.
    mutating func claim(
        _ listener: ListenAddress, owner: String, place: ConfigurationPlace?, isRelay: Bool = true
    ) -> String? {
        let claim = Claim(owner: owner, place: place, isRelay: isRelay)
        var message: String?
        for address in listener.socketAddresses {
            let family = FamilyAndPort(address)
            guard address.isUnix || family != nil else { continue }
            if let rival = rival(of: address, family) {
                message = message ?? Self.describe(listener, rival, in: place?.path)
                continue
            }
            claims[address] = claim
            if let family, firstOfPort[family] == nil { firstOfPort[family] = (address, claim) }
        }
        return message
    }

    private func rival(of address: SocketAddress, _ family: FamilyAndPort?) -> (address: SocketAddress, claim: Claim)? {
        if let same = claims[address] { return (address, same) }
        guard let family else { return nil }
        if address.isWildcard { return firstOfPort[family] }
        let wildcard = Self.wildcard(address, family)
        return claims[wildcard].map { (wildcard, $0) }
    }

    private static func describe(
        _ listener: ListenAddress, _ rival: (address: SocketAddress, claim: Claim), in path: String?
    ) -> String {
        let place = rival.claim.place.map { " " + $0.words(from: path) } ?? ""
        return "\(quoted(listener.description)) is in the way of \(quoted(rival.address.description)), "
            + "where \(rival.claim.owner)\(place) listens"
    }

    private static func wildcard(_ address: SocketAddress, _ family: FamilyAndPort) -> SocketAddress {
        address.family == SocketAddress.ipv4(.any, port: 0).family
            ? .ipv4(.any, port: family.port) : .ipv6(.any, port: family.port)
    }

    /// Whether an upstream is one of the listeners claimed; the message says which. Only literals and `localhost` can
    /// be known here: which further addresses are this machine's is known when a connection is made.
    func loop(_ upstream: UpstreamAddress, in path: String? = nil) -> String? {
        let addresses: [SocketAddress] =
            switch upstream {
            case .address(let address): [address]
            case .linkLocal(let address, let zone, let port):
                (try? SocketAddress.scope(ofZone: zone)).map { [.ipv6(address, port: port, scope: $0)] } ?? []
            case .name(_, let port): upstream.isLocalhost ? ListenAddress.loopback(port: port).socketAddresses : []
            // Each client brings its own, which is looked at then.
            case .originalDestination: []
            }
        for address in addresses {
            var found = claims[address].map { (address, $0) }
            if found == nil, address.isLoopback, let family = FamilyAndPort(address) {
                let wildcard = Self.wildcard(address, family)
                found = claims[wildcard].map { (wildcard, $0) }
            }
            if let (listener, claim) = found, claim.isRelay {
                let place = claim.place.map { " " + $0.words(from: path) } ?? ""
                return "\(quoted(upstream.description)) is a loop: \(claim.owner)\(place) "
                    + "listens on \(quoted(listener.description))"
            }
        }
        return nil
    }
}
