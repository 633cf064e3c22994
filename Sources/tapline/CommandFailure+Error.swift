import Configuration
import EventLoop
import Relay
import Sockets
import TLS
import Terminal

extension CommandFailure {
    /// The failure for a local authority that cannot be used. `option`: the option that needs it.
    init(authority error: LocalAuthorityError, option: String? = nil) {
        let message = option.map { "\($0): \(error)" } ?? "\(error)"
        self.init(error.isOfSystem ? .system : .configuration, "tapline: \(message)")
    }

    /// The failure for an error; nil for argument-parser's own errors, which it prints itself.
    init?(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        // Each line starts with path:line:column, which editors recognise.
        case let unwanted as UnwantedSockets:
            let lines = unwanted.description.split(separator: "\n").map { "tapline: \($0)" }
            self.init(.configuration, lines.joined(separator: "\n"))
        case let errors as ConfigurationErrors: self.init(.configuration, errors.description)
        case let error as SystemError: self.init(.system, "tapline: \(error)")
        case let error as Errno: self.init(.system, "tapline: \(error) (\(error.name))")
        case let error as UVError: self.init(.system, "tapline: \(error) (\(error.name))")
        default: return nil
        }
    }
}
