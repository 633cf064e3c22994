internal import Sockets
internal import Text

/// Compares all settings but relays' names, in the order of the file's keys.
struct SettingComparison {
    /// The differences found so far.
    private(set) var settings: [ConfigurationDifference.Setting] = []

    /// Compares two values under a path of keys.
    mutating func add<Value: Equatable>(
        _ keys: [any ConfigurationKey], _ old: Value, _ new: Value, _ text: (Value) -> String?
    ) {
        guard old != new else { return }
        let key = keys.map { $0.rawValue }.joined(separator: ".")
        settings.append(ConfigurationDifference.Setting(key: key, old: text(old), new: text(new)))
    }

    /// Adds files with other content.
    mutating func addContent(_ keys: [any ConfigurationKey], _ files: String, _ content: String) {
        let key = keys.map { $0.rawValue }.joined(separator: ".")
        settings.append(ConfigurationDifference.Setting(key: key, old: files, new: files, content: content))
    }

    /// Compares the settings outside the relays.
    mutating func compare(_ old: Configuration, _ new: Configuration) {
        if let old = old.admin, let new = new.admin {
            compare(old, new)
        } else {
            add([RootKey.admin], old.admin, new.admin) { $0?.listen.description }
        }
        add([RootKey.log, LogKey.level], old.log.level, new.log.level, \.rawValue)
        add([RootKey.log, LogKey.format], old.log.format, new.log.format, \.rawValue)
        add([RootKey.log, LogKey.access], old.log.access, new.log.access, \.text)
        add(
            [RootKey.shutdown, ShutdownKey.drain], old.shutdown.drain, new.shutdown.drain, DurationText.text(of:))
        add(
            [RootKey.shutdown, ShutdownKey.upgrade], old.shutdown.upgrade, new.shutdown.upgrade,
            DurationText.text(of:))
    }

    /// Compares the settings that a running process cannot change.
    mutating func compareFixed(_ old: Configuration, _ new: Configuration) {
        add([RootKey.workers], old.workers, new.workers, \.text)
        add(
            [RootKey.loopbackCongestionControl], old.loopbackCongestionControl, new.loopbackCongestionControl,
            \.rawValue)
    }

    private mutating func compare(_ old: AdminSettings, _ new: AdminSettings) {
        add([RootKey.admin, AdminKey.listen], old.listen, new.listen, \.description)
        add([RootKey.admin, AdminKey.tokenFile], old.tokenFile, new.tokenFile) { $0 }
        add([RootKey.admin, AdminKey.hosts], old.hosts, new.hosts) { $0.joined(separator: ", ") }
    }

    /// Compares two relays except for their names.
    mutating func compare(_ old: RelaySettings, _ new: RelaySettings) {
        if Set(old.listen.map(\.withoutMode)) != Set(new.listen.map(\.withoutMode)) {
            add([RelayKey.listen], old.listen, new.listen) { $0.map(\.description).joined(separator: ", ") }
        }
        if let oldMode = old.mode, let newMode = new.mode { add([RelayKey.mode], oldMode, newMode, FileMode.text(of:)) }
        add([RelayKey.upstream], old.upstream, new.upstream, \.description)
        let (before, after) = (old.timeouts, new.timeouts)
        add([RelayKey.timeouts, TimeoutsKey.connect], before.connect, after.connect, DurationText.text(of:))
        add([RelayKey.timeouts, TimeoutsKey.idle], before.idle, after.idle, DurationText.text(of:))
        add([RelayKey.timeouts, TimeoutsKey.halfClose], before.halfClose, after.halfClose, DurationText.text(of:))
        add([RelayKey.timeouts, TimeoutsKey.lifetime], before.lifetime, after.lifetime, DurationText.text(of:))
        add([RelayKey.timeouts, TimeoutsKey.wait], before.wait, after.wait, DurationText.text(of:))
        add([RelayKey.maxConnections], old.maxConnections, new.maxConnections) { "\($0)" }
        if let old = old.proxyProtocol, let new = new.proxyProtocol {
            compare(old, new)
        } else {
            add([RelayKey.proxyProtocol], old.proxyProtocol, new.proxyProtocol) { $0?.text }
        }
        if let old = old.interception, let new = new.interception {
            compare(old, new)
        } else {
            add([RelayKey.interception], old.interception, new.interception) { $0?.text }
        }
        if let old = old.tlsRouting, let new = new.tlsRouting {
            compare(old, new)
        } else {
            add([RelayKey.tlsRouting], old.tlsRouting, new.tlsRouting) { $0?.text }
        }
        if let old = old.requested, let new = new.requested {
            add([RelayKey.requested, RequestedKey.allow], old.allow, new.allow) { $0.map(RequestRule.text(of:)) }
            add([RelayKey.requested, RequestedKey.timeout], old.timeout, new.timeout, DurationText.text(of:))
        } else {
            add([RelayKey.requested], old.requested, new.requested) { $0?.text }
        }
        add([RelayKey.upstreamProxy], old.upstreamProxy, new.upstreamProxy) { $0?.description }
        addTLS(old, new)
        addKeyLog(old, new)
        if let old = old.record, let new = new.record {
            compare(old, new)
        } else {
            add([RelayKey.record], old.record, new.record) { $0?.directory }
        }
    }

    private mutating func compare(_ old: ProxyProtocolSettings, _ new: ProxyProtocolSettings) {
        if let before = old.accept, let after = new.accept {
            add([RelayKey.proxyProtocol, ProxyProtocolKey.trusted], before.trusted, after.trusted) { networks in
                networks.isEmpty ? nil : networks.map(\.description).joined(separator: ", ")
            }
            add(
                [RelayKey.proxyProtocol, ProxyProtocolKey.timeout], before.timeout, after.timeout,
                DurationText.text(of:))
        } else {
            add([RelayKey.proxyProtocol, ProxyProtocolKey.accept], old.accept, new.accept) { "\($0 != nil)" }
        }
        add([RelayKey.proxyProtocol, ProxyProtocolKey.send], old.send, new.send) { $0?.rawValue }
    }

    private mutating func compare(_ old: InterceptionSettings, _ new: InterceptionSettings) {
        add([RelayKey.interception, InterceptionKey.allow], old.allow, new.allow, \.text)
        add([RelayKey.interception, InterceptionKey.mark], old.mark, new.mark) { $0.map(MarkText.text(of:)) }
    }

    private mutating func compare(_ old: TLSRoutingSettings, _ new: TLSRoutingSettings) {
        // Only the differences, because there may be many. Their order is irrelevant.
        let (before, after) = (Set(old.routes), Set(new.routes))
        add(
            [RelayKey.tlsRouting, TLSRoutingKey.routes], old.routes.filter { !after.contains($0) },
            new.routes.filter { !before.contains($0) }
        ) { routes in
            routes.isEmpty ? nil : routes.map(\.text).joined(separator: "; ")
        }
        add([RelayKey.tlsRouting, TLSRoutingKey.otherwise], old.otherwise, new.otherwise, \.rawValue)
        add([RelayKey.tlsRouting, TLSRoutingKey.timeout], old.timeout, new.timeout, DurationText.text(of:))
    }

    private mutating func compare(_ old: RecordSettings, _ new: RecordSettings) {
        let (before, after) = (old.rotate, new.rotate)
        add([RelayKey.record, RecordKey.directory], old.directory, new.directory) { $0 }
        add([RelayKey.record, RecordKey.rotate, RotateKey.size], before.size, after.size, SizeText.text(of:))
        add([RelayKey.record, RecordKey.rotate, RotateKey.every], before.every, after.every, DurationText.text(of:))
        add([RelayKey.record, RecordKey.rotate, RotateKey.keep], before.keep, after.keep) { "\($0)" }
        add([RelayKey.record, RecordKey.maxBytes], old.maxBytes, new.maxBytes) { $0.map(SizeText.text(of:)) }
        add([RelayKey.record, RecordKey.buffer], old.buffer, new.buffer, SizeText.text(of:))
        add([RelayKey.record, RecordKey.whenFull], old.whenFull, new.whenFull, \.rawValue)
        add([RelayKey.record, RecordKey.clients], old.clients, new.clients) { clients in
            clients.isEmpty ? nil : clients.map(\.description).joined(separator: ", ")
        }
        add([RelayKey.record, RecordKey.fraction], old.perMillion, new.perMillion, FractionText.text(of:))
        add([RelayKey.record, RecordKey.encrypted], old.includesEncrypted, new.includesEncrypted) { "\($0)" }
    }
}

extension RelaySettings {
    /// The mode of its Unix listeners' files; nil without one.
    fileprivate var mode: UInt16? {
        listen.lazy.compactMap { if case .unix(_, let mode) = $0 { mode } else { nil } }.first
    }
}

extension ProxyProtocolSettings {
    /// The settings in the file's notation.
    fileprivate var text: String {
        [accept.map { _ in "accept" }, send.map { "send \($0.rawValue)" }].compactMap(\.self).joined(separator: ", ")
    }
}

extension InterceptionSettings {
    /// The settings in the file's notation.
    fileprivate var text: String {
        [allow.text.map { "allow \($0)" }, mark.map { "mark \(MarkText.text(of: $0))" }].compactMap(\.self)
            .joined(separator: ", ")
    }
}

extension RequestedSettings {
    /// The settings in the file's notation.
    fileprivate var text: String {
        let allow = allow.map { "allow \(RequestRule.text(of: $0))" }
        return [allow, "timeout \(DurationText.text(of: timeout))"].compactMap(\.self).joined(separator: ", ")
    }
}

extension [Network]? {
    /// A list in the file's notation; nil for nil.
    fileprivate var text: String? { map { $0.map(\.description).joined(separator: ", ") } }
}

extension TLSRoutingSettings {
    /// The routes and the action otherwise.
    fileprivate var text: String {
        (routes.map(\.text) + (otherwise == .refuse ? ["refuse others"] : [])).joined(separator: "; ")
    }
}

extension TLSRoutingSettings.Route {
    /// What it matches, and its upstream: `api.example.com to 10.0.0.1:443`.
    fileprivate var text: String {
        description + (upstream.map { " to \($0)" } ?? "")
    }
}

extension ListenAddress {
    /// The address without its file's mode.
    var withoutMode: ListenAddress {
        if case .unix(let path, _) = self { .unix(path: path, mode: Self.defaultUnixMode) } else { self }
    }
}

extension LogSettings.Access {
    /// The file's notation, with an absolute path.
    fileprivate var text: String? {
        switch self {
        case .standardOutput: "stdout"
        case .standardError: "stderr"
        case .off: "off"
        case .file(let path): path
        }
    }
}

extension WorkerCount {
    /// The file's notation.
    fileprivate var text: String? {
        switch self {
        case .automatic: "auto"
        case .exactly(let number): "\(number)"
        }
    }
}
