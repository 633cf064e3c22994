import Configuration
package import Sockets
package import Terminal

/// The tapline that a command connects to: its admin API's address, the source of that address, and the token.
package struct AdminTarget: Hashable, Sendable {
    /// The source of the address.
    enum Origin: Hashable, Sendable {
        /// `--admin`.
        case option
        /// `TAPLINE_ADMIN`.
        case environment
        /// `admin.listen` of the configuration at this path.
        case configuration(String)
        /// The only socket of `forward` processes in the runtime folder.
        case runtimeFolder
        /// None of them: the default of `admin.listen`.
        case byDefault

        /// The source, for a message.
        var words: String {
            switch self {
            case .option: "from --admin"
            case .environment: "from \(AdminTarget.variable)"
            case .configuration(let path): "from \(path)"
            case .runtimeFolder: "the socket of a running `forward`"
            case .byDefault: "the default"
            }
        }

        /// What to do when nothing listens there.
        var advice: String {
            switch self {
            case .option, .environment: "Its first lines show where the admin API listens."
            case .configuration, .runtimeFolder, .byDefault:
                "Use --admin ADDRESS or \(AdminTarget.variable) to name another address."
            }
        }
    }

    /// The inputs of the search; a test provides its own.
    package struct Surroundings {
        /// One variable of the environment.
        var variable: (String) -> String?
        /// All variables, for those in the configuration.
        var variables: [String: String]
        /// The directory of relative paths.
        var directory: String
        /// Whether a file exists and is readable.
        var canRead: (String) -> Bool
        /// The paths of the admin sockets on which `forward` processes of this user listen.
        var sockets: () -> [String]
        /// The failure where several of them listen.
        var choice: ([String]) -> CommandFailure
        /// The error if nothing listens at an address; nil: something may. Nil as a whole: the command must not connect
        /// to another tapline than the configured one.
        var refusal: ((AdminAddress) -> Errno?)?
        /// Reports one line to the person.
        var report: (String) -> Void

        /// The surroundings of a process, or of a test.
        package init(
            variable: @escaping (String) -> String?, variables: [String: String], directory: String,
            canRead: @escaping (String) -> Bool, sockets: @escaping () -> [String] = { [] },
            choice: @escaping ([String]) -> CommandFailure = SocketChoice.failure,
            refusal: ((AdminAddress) -> Errno?)? = nil, report: @escaping (String) -> Void = { _ in }
        ) {
            self.variable = variable
            self.variables = variables
            self.directory = directory
            self.canRead = canRead
            self.sockets = sockets
            self.choice = choice
            self.refusal = refusal
            self.report = report
        }
    }

    /// The variable with the address.
    package static let variable = "TAPLINE_ADMIN"

    let address: AdminAddress
    let origin: Origin
    /// The bearer token; nil: none was found, which may be right.
    let token: String?

    /// The address: `--admin`, else `TAPLINE_ADMIN`, else `admin.listen` of `--config`, or of the first default file
    /// (`ConfigurationPlaces`) that is readable and has one, else the only socket of `forward` processes, else
    /// 127.0.0.1:9180. If nothing listens at the address of a default file, the socket of a `forward` is used. The token: `--token-file`, else `TAPLINE_ADMIN_TOKEN`, else `token_file` of the configuration with
    /// the address.
    package static func find(
        admin: String?, config: String?, tokenFile: String?, in surroundings: Surroundings
    ) throws -> AdminTarget {
        let (address, origin, settings) = try self.address(admin, config, surroundings)
        let token: String?
        if let tokenFile {
            token = try Self.token(in: tokenFile)
        } else if let value = try Self.token(ofVariable: surroundings.variable(AdminSettings.tokenVariable)) {
            token = value
        } else if let path = settings?.tokenFile, surroundings.canRead(path) {
            token = try Self.token(in: path)
        } else {
            token = nil
        }
        return AdminTarget(address: address, origin: origin, token: token)
    }

    private static func address(
        _ admin: String?, _ config: String?, _ surroundings: Surroundings
    ) throws -> (AdminAddress, Origin, AdminSettings?) {
        if let admin { return (try parse(admin, "--admin", surroundings), .option, nil) }
        if let value = surroundings.variable(variable), !value.isEmpty {
            return (try parse(value, variable, surroundings), .environment, nil)
        }
        let places = config.map { [$0] } ?? ConfigurationPlaces(surroundings.variables).paths
        for path in places where config != nil || surroundings.canRead(path) {
            do {
                let found = try Configuration.load(path: path, environment: surroundings.variables)
                // The working directory may belong to a stranger, whose file must not have the token sent elsewhere.
                let isTrusted = config != nil || path != ConfigurationPlaces.local
                if let settings = found.admin, isTrusted || settings.listen.isLocal {
                    let address = AdminAddress(settings.listen)
                    if config == nil, let socket = try socket(insteadOf: address, of: path, surroundings) {
                        return (.unix(path: socket), .runtimeFolder, nil)
                    }
                    return (address, .configuration(path), settings)
                }
                if config != nil {
                    throw CommandFailure(
                        .configuration,
                        "\(path): has no `admin:` section, so the address of its admin API is unknown; "
                            + "add `admin: { listen: \(AdminSettings.defaultListen) }`, or use --admin ADDRESS")
                }
            } catch let errors as ConfigurationErrors where config == nil {
                // A default file was not requested: its mistakes are not this command's, and its tapline may not be
                // running.
                _ = errors
            }
        }
        if let socket = try onlySocket(of: surroundings.sockets(), surroundings) {
            return (.unix(path: socket), .runtimeFolder, nil)
        }
        return (AdminAddress(AdminSettings.defaultListen), .byDefault, nil)
    }

    /// Nil without any. Throws the list of several.
    private static func onlySocket(
        of sockets: [String], _ surroundings: Surroundings
    ) throws(CommandFailure) -> String? {
        guard sockets.count < 2 else { throw surroundings.choice(sockets) }
        return sockets.first
    }

    /// The socket of a `forward` where nothing listens at the address of a default file; nil: the address is right, or
    /// there is no `forward`.
    private static func socket(
        insteadOf address: AdminAddress, of path: String, _ surroundings: Surroundings
    ) throws(CommandFailure) -> String? {
        guard let refusal = surroundings.refusal else { return nil }
        // The sockets first: without any there is no need to connect twice.
        let sockets = surroundings.sockets()
        guard !sockets.isEmpty, let errno = refusal(address), let socket = try onlySocket(of: sockets, surroundings)
        else {
            return nil
        }
        surroundings.report(
            "tapline: nothing listens at \(address) (from \(path)): \(errno); "
                + "using the running forward, unix:\(socket)")
        return socket
    }

    /// The error if nothing listens at an address: the connect is refused, or the socket's file is missing. Nil:
    /// something may listen there.
    package static func refusal(of address: AdminAddress) -> Errno? {
        let target = AdminTarget(address: address, origin: .byDefault, token: nil)
        do throws(HTTPTrouble) {
            _ = try AdminClient(target: target).attempt(.get, "/v1/status", deadline: SocketChoice.timeout)
        } catch {
            if case .connect(let errno) = error, HTTPTrouble.nothingListens(errno) { return errno }
        }
        return nil
    }

    private static func parse(_ text: String, _ name: String, _ surroundings: Surroundings) throws -> AdminAddress {
        guard text != "off" else {
            throw CommandFailure(
                .usage,
                "tapline: \(name): `off` is only for `tapline forward`, which then has no admin API; this command "
                    + "connects to the admin API, so write its address: HOST:PORT, PORT or unix:PATH")
        }
        do {
            return try AdminAddress(parsing: text, directory: surroundings.directory)
        } catch {
            throw CommandFailure(
                .usage, "tapline: \(name): \(error.message)\ntapline: write HOST:PORT, PORT or unix:PATH")
        }
    }

    /// Parsed as the server parses it; otherwise the same variable could be valid on one side only.
    private static func token(ofVariable value: String?) throws -> String? {
        do {
            return try TokenText.parse(variable: value)
        } catch {
            throw CommandFailure(.failure, "tapline: \(error.message)")
        }
    }

    private static func token(in path: String) throws -> String {
        let bytes: [UInt8]
        do {
            bytes = try InputFile(path: path).read(atMost: 4096)
        } catch let error as Errno {
            throw SystemError("read \(path)", error)
        }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 1, words[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CommandFailure(
                .failure,
                "tapline: \(path) does not contain a token; a token is one line of printable characters without spaces")
        }
        return String(words[0])
    }
}
