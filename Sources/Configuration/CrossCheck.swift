internal import Sockets

/// Checks across relays: duplicate names, conflicting listeners, relays that forward to themselves.
struct CrossCheck {
    /// A claim on an address.
    private struct Claim {
        let owner: String
        let location: ConfigurationLocation?
        /// False for the admin server: forwarding to it is unusual, but not a loop.
        let isRelay: Bool
    }

    /// The key of all addresses that one wildcard address covers.
    private struct FamilyAndPort: Hashable {
        let family: CInt
        let port: UInt16

        init?(_ address: SocketAddress) {
            // Port 0 is a free port, which conflicts with no other.
            guard let port = address.port, port != 0 else { return nil }
            family = address.family
            self.port = port
        }
    }

    /// By address, so that the check is linear in the number of listeners.
    private var claims: [SocketAddress: Claim] = [:]
    private var firstOfPort: [FamilyAndPort: (address: SocketAddress, claim: Claim)] = [:]

    /// Checks the relays of a configuration; `problems` are those of its main file.
    static func report(_ drafts: [RelayDraft], admin: Located<AdminSettings>?, _ problems: Problems) {
        var check = CrossCheck()
        var names: [String: ConfigurationLocation] = [:]
        if let admin,
            let message = check.claim(
                admin.value.listen, owner: "`admin`",
                location: ConfigurationLocation(path: problems.path, mark: admin.mark), isRelay: false)
        {
            problems.report(admin.mark, message)
        }
        for draft in drafts {
            if let name = draft.name {
                if let first = names[name.value] {
                    draft.problems.report(
                        name.mark,
                        "`name`: duplicate relay name `\(name.value)`, first used "
                            + "\(first.words(from: draft.problems.path))")
                } else {
                    names[name.value] = draft.location(name.mark)
                }
            }
            for listen in draft.listen {
                if let message = check.claim(listen.value, owner: draft.title, location: draft.location(listen.mark)) {
                    draft.problems.report(listen.mark, "`listen`: \(message)")
                }
            }
        }
        for draft in drafts {
            if let proxy = draft.upstreamProxy {
                guard let message = check.loop(proxy.value.address, in: draft.problems.path) else { continue }
                draft.problems.report(proxy.mark, "`upstream_proxy`: \(message)")
                continue
            }
            for upstream in [draft.upstream].compactMap(\.self) + draft.routedUpstreams {
                guard let message = check.loop(upstream.value, in: draft.problems.path) else { continue }
                draft.problems.report(upstream.mark, "`upstream`: \(message)")
            }
        }
    }

    /// Claims a listener's addresses. Returns a message about the listener that it conflicts with, or nil.
    mutating func claim(
        _ listener: ListenAddress, owner: String, location: ConfigurationLocation?, isRelay: Bool = true
    ) -> String? {
        let claim = Claim(owner: owner, location: location, isRelay: isRelay)
        var message: String?
        for address in listener.socketAddresses {
            let family = FamilyAndPort(address)
            guard address.isUnix || family != nil else { continue }
            if let rival = rival(of: address, family) {
                message = message ?? Self.describe(listener, rival, in: location?.path)
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
        let location = rival.claim.location.map { " (" + $0.place(from: path) + ")" } ?? ""
        let owner = "is already used by \(rival.claim.owner)\(location)"
        guard let port = listener.port else { return "\(quoted(listener.description)) \(owner)" }
        let host =
            switch listener {
            case .everyInterface: "every interface"
            case .loopback, .address, .unix: String(listener.description.dropLast("\(port)".count + 1))
            }
        let overlap = listener.socketAddresses.contains(rival.address) ? "" : ", which listens on \(rival.address)"
        return "port \(port) on \(host) \(owner)\(overlap)"
    }

    private static func wildcard(_ address: SocketAddress, _ family: FamilyAndPort) -> SocketAddress {
        address.family == SocketAddress.ipv4(.any, port: 0).family
            ? .ipv4(.any, port: family.port) : .ipv6(.any, port: family.port)
    }

    /// Returns a message if an upstream is one of the claimed listeners. Only literals and `localhost` are checked here: the
    /// machine's other addresses are checked when a connection is made.
    func loop(_ upstream: UpstreamAddress, in path: String? = nil) -> String? {
        let addresses: [SocketAddress] =
            switch upstream {
            case .address(let address): [address]
            case .linkLocal(let address, let zone, let port):
                (try? SocketAddress.scope(ofZone: zone)).map { [.ipv6(address, port: port, scope: $0)] } ?? []
            case .name(_, let port): upstream.isLocalhost ? ListenAddress.loopback(port: port).socketAddresses : []
            // Each client has its own destination, which is checked when it connects.
            case .originalDestination, .requested: []
            }
        for address in addresses {
            var found = claims[address].map { (address, $0) }
            if found == nil, address.isLoopback, let family = FamilyAndPort(address) {
                let wildcard = Self.wildcard(address, family)
                found = claims[wildcard].map { (wildcard, $0) }
            }
            if let (listener, claim) = found, claim.isRelay {
                let location = claim.location.map { " " + $0.words(from: path) } ?? ""
                return "\(quoted(upstream.description)) is a loop: \(claim.owner)\(location) "
                    + "listens on \(quoted(listener.description))"
            }
        }
        return nil
    }
}
