public import Configuration
internal import Glibc
public import Sockets
internal import Synchronization

/// The bearer token: fixed, or in a file that is read again, so that a secret which is replaced counts at once.
///
/// Any thread; it reads a small file, once a second at most.
public final class AdminToken: Sendable {
    private let path: String?
    private let known: Mutex<(value: String, read: ContinuousClock.Instant)>

    private init(_ value: String, path: String?) {
        self.path = path
        known = Mutex((value, .now))
    }

    /// The token of some settings: of the file, else of the environment, by the value of its variable; nil where there
    /// is none. Throws where the file cannot be read or holds none, and where the variable holds what cannot be one: an
    /// API that went on without would be open to everybody.
    public static func load(
        _ settings: AdminSettings, environment: String?
    ) throws(SystemError) -> AdminToken? {
        if let path = settings.tokenFile {
            guard let value = read(path) else {
                let errno = Errno(access(path, R_OK) == 0 ? EINVAL : errno)
                let trouble = SmallFile.isSpecial(path) ? "it is no plain file" : "the file holds one line, the token"
                throw SystemError(attempt(settings), errno, advice: "\(trouble); \(TokenText.rule)", subject: .admin)
            }
            return AdminToken(value, path: path)
        }
        do throws(ValueError) {
            return try TokenText.parse(variable: environment).map { AdminToken($0, path: nil) }
        } catch {
            throw SystemError(attempt(settings), Errno(EINVAL), advice: error.message, subject: .admin)
        }
    }

    /// What is to be said of where the token comes from, though it can be used; nil where all is well.
    public static func warning(_ settings: AdminSettings) -> String? {
        guard let path = settings.tokenFile, SmallFile.isPublic(path) else { return nil }
        return "every user of this machine can read the admin API's token in \(path); chmod o-r takes that away"
    }

    /// What an error of `load` says was attempted.
    private static func attempt(_ settings: AdminSettings) -> String {
        "take the admin API's token from \(settings.tokenFile ?? AdminSettings.tokenVariable)"
    }

    /// The token that holds now. A file that cannot be read any more leaves the last one in force.
    var value: String {
        guard let path else { return known.withLock { $0.value } }
        return known.withLock { known in
            if ContinuousClock.now - known.read >= .seconds(1) {
                if let value = Self.read(path) { known.value = value }
                known.read = .now
            }
            return known.value
        }
    }

    private static func read(_ path: String) -> String? {
        guard let text = SmallFile.read(path) else { return nil }
        // A file that is being replaced may hold nothing, or half of it, for a moment.
        return try? TokenText.parse(text)
    }
}
