internal import Sockets
import Text

/// One entry of `relays`, as far as it is valid, with the positions that the checks across relays need.
struct RelayDraft {
    let name: Located<String>?
    let listen: [Located<ListenAddress>]
    let upstream: Located<UpstreamAddress>?
    private let timeouts: Timeouts
    private let maxConnections: Int
    let proxyProtocol: ProxyProtocolSettings?
    private let interception: InterceptionSettings?
    private let tlsRouting: TLSRoutingSettings?
    /// The upstreams of `tls_routing`.
    let routedUpstreams: [Located<UpstreamAddress>]
    private let requested: RequestedSettings?
    /// The proxy, with its position.
    let upstreamProxy: Located<UpstreamProxySettings>?
    private let tls: TLSSettings?
    private let upstreamTLS: UpstreamTLSSettings?
    let writesKeyLog: Bool
    let record: RecordSettings?

    /// Its name in messages.
    let title: String
    /// Collects the mistakes in its file.
    let problems: Problems

    /// Reads an entry. Anything but a mapping is reported, and the result is nil.
    init?(_ node: YAMLNode, number: Int, _ reading: Reading) {
        guard let fields = Fields<RelayKey>(node, called: "relay \(number)", reading) else { return nil }
        let nameField = fields.required(.name, in: "relay \(number)")
        let name = nameField?.value(RelaySettings.checkedName)
        let title = name.map { "relay `\($0)`" } ?? "relay \(number)"
        self.title = title
        problems = reading.problems
        self.name = name.flatMap { name in nameField.map { Located(value: name, mark: $0.mark) } }
        listen = Self.listeners(fields, title, reading)
        let upstreamField = fields.required(.upstream, in: title)
        upstream = upstreamField?.value { text throws(ValueError) in
            try TLSAdvice.check(upstream: text)
            let address = try UpstreamAddress(parsing: text, directory: reading.directory)
            return Located(value: address, mark: upstreamField?.mark ?? node.mark)
        }
        timeouts = fields[.timeouts].flatMap(Self.timeouts) ?? Timeouts()
        maxConnections =
            fields[.maxConnections]?.number(in: 1...RelaySettings.mostConnections)
            ?? RelaySettings.defaultMaxConnections
        let addresses = listen.map(\.value)
        proxyProtocol = fields[.proxyProtocol].flatMap { Self.proxyProtocol($0, listen: addresses) }
        let forwardsTo = upstream?.value
        interception = fields[.interception].flatMap { Self.interception($0, upstream: forwardsTo) }
        let routing = fields[.tlsRouting].flatMap(Self.tlsRouting)
        tlsRouting = routing?.settings
        routedUpstreams = routing?.upstreams ?? []
        requested = fields[.requested].flatMap { Self.requested($0, upstream: forwardsTo) }
        upstreamProxy = fields[.upstreamProxy].flatMap(Self.upstreamProxy)
        let upstreams = [forwardsTo].compactMap(\.self) + routedUpstreams.map(\.value)
        tls = fields[.tls].flatMap { Self.tls($0, scope: title) }
        upstreamTLS = fields[.upstreamTLS].flatMap { Self.upstreamTLS($0, upstreams: upstreams) }
        writesKeyLog = fields[.keyLog]?.choice(YesOrNo.self) == .yes
        record = fields[.record].flatMap { Self.record($0) }
        reportMissingTLS(fields)
        if forwardsTo == .originalDestination { reportConflicts(fields[.proxyProtocol], fields[.tlsRouting]) }
        reportConflictsWithProxy()
        if forwardsTo == .requested { reportConflicts(withRequested: fields[.tlsRouting]) }
    }

    /// The relay; nil if a required part is missing or invalid.
    var settings: RelaySettings? {
        guard let name, let upstream, !listen.isEmpty else { return nil }
        return RelaySettings(
            name: name.value, listen: listen.map(\.value), upstream: upstream.value, timeouts: timeouts,
            maxConnections: maxConnections, proxyProtocol: proxyProtocol, interception: interception,
            tlsRouting: tlsRouting, requested: requested, upstreamProxy: upstreamProxy?.value, tls: tls,
            upstreamTLS: upstreamTLS, writesKeyLog: writesKeyLog, record: record)
    }

    /// A position in its file.
    func location(_ mark: Mark) -> ConfigurationLocation {
        ConfigurationLocation(path: problems.path, mark: mark)
    }

    /// Reads the entries of `relays`.
    static func list(_ field: Field, mayBeEmpty: Bool) -> [RelayDraft] {
        switch field.node.content {
        case .refused:
            return []
        case .sequence(let nodes) where mayBeEmpty || !nodes.isEmpty:
            return nodes.enumerated().compactMap { RelayDraft($1, number: $0 + 1, field.reading) }
        case .sequence, .scalar("", isPlain: true):
            field.report("at least one relay is needed")
            return []
        case .scalar, .mapping:
            field.report("must be a list; begin each relay with `-`")
            return []
        }
    }

    // MARK: Parts

    private static func listeners(
        _ fields: Fields<RelayKey>, _ title: String, _ reading: Reading
    ) -> [Located<ListenAddress>] {
        let mode = fields[.mode]?.value(FileMode.parse)
        guard let field = fields.required(.listen, in: title) else { return [] }
        let elements = field.elements()
        if elements.isEmpty { field.report("at least one address is needed") }
        let listeners = elements.compactMap { element in
            element.value { text throws(ValueError) in
                try TLSAdvice.check(listen: text)
                let address = try ListenAddress(
                    parsing: text, directory: reading.directory, mode: mode ?? ListenAddress.defaultUnixMode)
                return Located(value: address, mark: element.mark)
            }
        }
        let isUnix = listeners.contains { $0.value.port == nil }
        if !isUnix, listeners.count == elements.count, !listeners.isEmpty {
            fields[.mode]?.report("only Unix sockets have a mode, and \(title) has none")
        }
        // Also if another listener has a file: the mode would seem to protect this one too.
        if let abstract = listeners.first(where: { $0.value.isAbstract }) {
            fields[.mode]?.report(
                "\(quoted(abstract.value.description)) is an abstract name, which has no file and no mode: every user who "
                    + "shares its network namespace can connect; choose a path, or remove `mode`")
        }
        return listeners
    }

    private static func timeouts(_ field: Field) -> Timeouts? {
        guard let fields = field.fields(TimeoutsKey.self) else { return nil }
        var timeouts = Timeouts()
        timeouts.connect = fields[.connect]?.duration() ?? timeouts.connect
        timeouts.idle = fields[.idle]?.duration() ?? timeouts.idle
        timeouts.halfClose = fields[.halfClose]?.duration() ?? timeouts.halfClose
        timeouts.lifetime = fields[.lifetime]?.duration() ?? timeouts.lifetime
        timeouts.wait = fields[.wait]?.duration() ?? timeouts.wait
        return timeouts
    }

    /// Reads `record`. Omitted values are those of `base`, or the defaults.
    static func record(_ field: Field, changing base: RecordSettings? = nil) -> RecordSettings? {
        guard let fields = field.fields(RecordKey.self) else { return nil }
        let directory =
            fields[.directory].map { $0.path() }
            ?? base?.directory
            ?? field.pathInFilesFolder(RecordSettings.defaultDirectory)
        guard let directory else { return nil }
        var settings = base ?? RecordSettings(directory: directory)
        settings.directory = directory
        settings.rotate = fields[.rotate].flatMap { rotation($0, changing: settings.rotate) } ?? settings.rotate
        settings.maxBytes = fields[.maxBytes]?.size(in: RecordSettings.maxBytesRange) ?? settings.maxBytes
        settings.buffer = fields[.buffer]?.size(in: RecordSettings.buffers) ?? settings.buffer
        settings.whenFull = fields[.whenFull]?.choice(RecordSettings.WhenFull.self) ?? settings.whenFull
        settings.clients = fields[.clients]?.networks() ?? settings.clients
        settings.perMillion = fields[.fraction]?.value(FractionText.parse) ?? settings.perMillion
        settings.includesEncrypted =
            fields[.encrypted]?.choice(YesOrNo.self).map { $0 == .yes } ?? settings.includesEncrypted
        return settings
    }

    private static func rotation(
        _ field: Field, changing base: RecordSettings.Rotation
    ) -> RecordSettings.Rotation? {
        guard let fields = field.fields(RotateKey.self) else { return nil }
        var rotation = base
        if let size = fields[.size]?.size(in: RecordSettings.sizes) {
            if size != 0, size < RecordSettings.leastSize {
                fields[.size]?.report(
                    "files of \(SizeText.text(of: size)) are too small; write at least "
                        + "\(SizeText.text(of: RecordSettings.leastSize)), or 0 for no limit")
            }
            rotation.size = size
        }
        if let every = fields[.every]?.duration() {
            if every != .zero, every < .seconds(1) {
                fields[.every]?.report(
                    "a new file every \(DurationText.text(of: every)) is too often; write at least 1s")
            }
            rotation.every = every
        }
        rotation.keep = fields[.keep]?.number(in: RecordSettings.keeps) ?? rotation.keep
        return rotation
    }
}

extension Field {
    /// The default of an omitted path, in the file's folder.
    fileprivate func pathInFilesFolder(_ name: String) -> String? {
        do {
            return try PathText.absolute(name, in: reading.directory)
        } catch {
            report(error.message)
            return nil
        }
    }
}

extension RelayDraft {
    /// Reads `interception`. `upstream` is the relay's, or nil if it is invalid.
    static func interception(_ field: Field, upstream: UpstreamAddress?) -> InterceptionSettings? {
        guard let fields = field.fields(InterceptionKey.self) else { return nil }
        if let upstream, upstream != .originalDestination {
            field.report(
                "only for a relay with `upstream: \(UpstreamAddress.originalDestination)`; set that, or remove this"
            )
        }
        if InterceptionKey.allCases.allSatisfy({ fields[$0] == nil }) {
            field.report("has no effect; write `allow: [10.0.0.0/8]` or `mark: 0x7a70`, or remove this")
        }
        let allow = fields[.allow]
        if let allow, case .sequence(let nodes) = allow.node.content, nodes.isEmpty {
            allow.report(
                "no destination would be allowed; write networks such as "
                    + "[10.0.0.0/8, \"2001:db8::/32\"], or remove this"
            )
        }
        return InterceptionSettings(allow: allow?.networks(), mark: fields[.mark]?.value(MarkText.parse))
    }

    /// Reports settings that exclude `upstream: original-destination`.
    func reportConflicts(_ proxyProtocolField: Field?, _ tlsRoutingField: Field?) {
        let upstream = "`upstream: \(UpstreamAddress.originalDestination)`"
        for listener in listen where listener.value.port == nil {
            problems.report(
                listener.mark,
                "`listen`: clients cannot be redirected to a Unix socket, so it cannot "
                    + "be combined with \(upstream); listen on a port"
            )
        }
        if proxyProtocol?.accept != nil {
            proxyProtocolField?.report(
                "`accept` cannot be combined with \(upstream): redirected clients send no PROXY header"
            )
        }
        tlsRoutingField?.report(
            "cannot be combined with \(upstream): each client goes to its original destination; write a fixed "
                + "`upstream`, or remove this")
    }
}
