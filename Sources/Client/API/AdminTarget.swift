import Configuration
import Sockets
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
            case .runtimeFolder: "the socket of a running forward"
            case .byDefault: "the default"
            }
        }

        /// What to do when nothing listens there.
        var advice: String {
            switch self {
            case .option, .environment: "Its first lines say where the admin API listens."
            case .configuration, .runtimeFolder, .byDefault: "--admin ADDRESS or \(AdminTarget.variable) names another."
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

        /// The surroundings of a process, or of a test.
        package init(
            variable: @escaping (String) -> String?, variables: [String: String], directory: String,
            canRead: @escaping (String) -> Bool, sockets: @escaping () -> [String] = { [] },
            choice: @escaping ([String]) -> CommandFailure = SocketChoice.failure
        ) {
            self.variable = variable
            self.variables = variables
            self.directory = directory
            self.canRead = canRead
            self.sockets = sockets
            self.choice = choice
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
    /// 127.0.0.1:9180. The token: `--token-file`, else `TAPLINE_ADMIN_TOKEN`, else `token_file` of the configuration with
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
                    return (AdminAddress(settings.listen), .configuration(path), settings)
                }
                if config != nil {
                    throw CommandFailure(
                        .configuration,
                        "\(path): has no `admin:`, so nothing says where its tapline answers; "
                            + "add `admin: { listen: \(AdminSettings.defaultListen) }`, or say --admin ADDRESS")
                }
            } catch let errors as ConfigurationErrors where config == nil {
                // A default file was not requested: its mistakes are not this command's, and its tapline may not be
                // running.
                _ = errors
            }
        }
        let sockets = surroundings.sockets()
        switch sockets.count {
        case 0: return (AdminAddress(AdminSettings.defaultListen), .byDefault, nil)
        case 1: return (.unix(path: sockets[0]), .runtimeFolder, nil)
        default: throw surroundings.choice(sockets)
        }
    }

    private static func parse(_ text: String, _ name: String, _ surroundings: Surroundings) throws -> AdminAddress {
        do {
            return try AdminAddress(parsing: text, directory: surroundings.directory)
        } catch {
            throw CommandFailure(
                .usage, "tapline: \(name): \(error.message)\ntapline: it is HOST:PORT, PORT or unix:PATH")
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
                .failure, "tapline: \(path) holds no token; a token is one line of printable characters without spaces")
        }
        return String(words[0])
    }
}
