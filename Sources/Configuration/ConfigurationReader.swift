/// Makes a configuration from a tree: reads every part, then checks the parts against each other.
struct ConfigurationReader {
    private let reading: Reading

    /// A reader of one tree.
    init(_ reading: Reading) {
        self.reading = reading
    }

    /// The configuration and the positions of its parts. Mistakes are reported, and then the result must not be used.
    func configuration(
        _ root: YAMLNode, including included: IncludedFiles?
    ) -> (configuration: Configuration, locations: ConfigurationLocations)? {
        guard let fields = Fields<RootKey>(root, called: "a configuration", reading) else { return nil }
        let admin = fields[.admin].flatMap(admin)
        let drafts = relays(fields, including: included)
        CrossCheck.report(drafts, admin: admin, reading.problems)
        let log = fields[.log].flatMap(log)
        let configuration = Configuration(
            admin: admin?.value,
            log: log?.settings ?? LogSettings(),
            workers: fields[.workers]?.value { text throws(ValueError) in try WorkerCount(parsing: text) }
                ?? .automatic,
            shutdown: fields[.shutdown].flatMap(shutdown) ?? ShutdownSettings(),
            loopbackCongestionControl: fields[.loopbackCongestionControl]?.choice(LoopbackCongestionControl.self)
                ?? .automatic,
            relays: drafts.compactMap(\.settings))
        return (configuration, locations(drafts, admin: admin?.mark, accessLog: log?.access))
    }

    private func locations(_ drafts: [RelayDraft], admin: Mark?, accessLog: Mark?) -> ConfigurationLocations {
        var locations = ConfigurationLocations(path: reading.problems.path)
        locations.admin = admin.map { ConfigurationLocation(path: locations.path, mark: $0) }
        locations.accessLog = accessLog.map { ConfigurationLocation(path: locations.path, mark: $0) }
        for draft in drafts {
            guard let name = draft.name else { continue }
            for listen in draft.listen {
                locations.listeners[.init(relay: name.value, address: listen.value)] = draft.location(listen.mark)
            }
        }
        return locations
    }

    /// The relays of the file, then those of its included files.
    private func relays(_ fields: Fields<RootKey>, including included: IncludedFiles?) -> [RelayDraft] {
        guard let include = fields[.include] else {
            return fields.required(.relays, in: "the configuration").map { RelayDraft.list($0, mayBeEmpty: false) }
                ?? []
        }
        let before = reading.problems.count
        let own = fields[.relays].map { RelayDraft.list($0, mayBeEmpty: true) } ?? []
        guard include.inclusion() != nil else { return own }
        guard let included else {
            include.report("only a configuration in a file can include files")
            return own
        }
        if let failure = included.failure { include.report(failure.message) }
        let drafts = own + IncludedReader(reading).relays(included.files)
        if drafts.isEmpty, reading.problems.count == before {
            include.report(
                "no relays are configured, neither here nor in the files \(included.inclusion.names) of "
                    + quoted(included.inclusion.folder))
        }
        return drafts
    }

    // MARK: The parts besides the relays

    private func log(_ field: Field) -> (settings: LogSettings, access: Mark?)? {
        guard let fields = field.fields(LogKey.self) else { return nil }
        var settings = LogSettings()
        settings.level = fields[.level]?.choice(LogSettings.Level.self) ?? settings.level
        settings.format = fields[.format]?.choice(LogSettings.Format.self) ?? settings.format
        settings.access =
            fields[.access]?.value { text throws(ValueError) in
                try LogSettings.Access(parsing: text, directory: reading.directory)
            } ?? settings.access
        return (settings, fields[.access]?.mark)
    }

    private func shutdown(_ field: Field) -> ShutdownSettings? {
        guard let fields = field.fields(ShutdownKey.self) else { return nil }
        var settings = ShutdownSettings()
        settings.drain = fields[.drain]?.duration() ?? settings.drain
        settings.upgrade = fields[.upgrade]?.duration() ?? settings.upgrade
        return settings
    }

    private func admin(_ field: Field) -> Located<AdminSettings>? {
        guard let fields = field.fields(AdminKey.self) else { return nil }
        let address = fields[.listen]?.value { text throws(ValueError) in
            try ListenAddress(parsing: text, directory: reading.directory, mode: AdminSettings.unixMode)
        }
        var settings = AdminSettings(listen: address ?? AdminSettings.defaultListen)
        settings.tokenFile = fields[.tokenFile]?.path()
        settings.hosts =
            fields[.hosts]?.elements().compactMap {
                $0.value { text throws(ValueError) in try HostName.checked(text) }
            } ?? []
        let mark = fields[.listen]?.mark ?? fields.mark
        if !settings.listen.isLocal, fields[.tokenFile] == nil, let message = lackOfToken(for: settings.listen) {
            fields[.listen]?.report(message)
        }
        // The default must not be checked for conflicts in place of an invalid address.
        guard address != nil || fields[.listen] == nil else { return nil }
        return Located(value: settings, mark: mark)
    }

    /// The message for an address that other machines can reach without a token; nil if the environment has one.
    private func lackOfToken(for listen: ListenAddress) -> String? {
        do {
            guard try TokenText.parse(variable: reading.environment.values[AdminSettings.tokenVariable]) == nil else {
                return nil
            }
            return "\(quoted(listen.description)) can be reached from other machines; "
                + "set `token_file`, or \(AdminSettings.tokenVariable) in the environment"
        } catch {
            return "\(quoted(listen.description)) can be reached from other machines and needs a token, but "
                + error.message
        }
    }
}

extension LogSettings.Access {
    /// Parses `stdout`, `stderr`, `off` or a path.
    public init(parsing text: String, directory: String) throws(ValueError) {
        switch text {
        case "stdout": self = .standardOutput
        case "stderr": self = .standardError
        case "off": self = .off
        default:
            // A bare word is more likely a misspelling of those above than a file name.
            guard text.contains("/") || text.contains(".") else {
                let guess = NearestKey.find(text, in: ["stdout", "stderr", "off"])
                throw ValueError(
                    "\(quoted(text)) is not one of stdout, stderr, off or a path such as ./access.log"
                        + (guess.map { "; did you mean `\($0)`?" } ?? ""))
            }
            guard text.last != "/" else { throw ValueError("\(quoted(text)) is a directory; name a file in it") }
            self = .file(try PathText.absolute(text, in: directory))
        }
    }
}
