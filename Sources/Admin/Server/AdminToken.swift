public import Configuration
internal import Glibc
public import Sockets
internal import Synchronization

/// The bearer token: fixed, or in a file that is read again, so that a replaced secret takes effect at once.
///
/// Any thread. Reads a small file at most once a second.
public final class AdminToken: Sendable {
    private let path: String?
    private let known: Mutex<(value: String, read: ContinuousClock.Instant)>

    private init(_ value: String, path: String?) {
        self.path = path
        known = Mutex((value, .now))
    }

    /// The token in the settings' file, or else in `environment`, the value of the environment variable; nil without either.
    /// Throws if the file is unreadable or empty, or if a token is invalid: an API without a token would be open to all.
    public static func load(
        _ settings: AdminSettings, environment: String?
    ) throws(SystemError) -> AdminToken? {
        if let path = settings.tokenFile {
            guard let value = read(path) else {
                let errno = Errno(access(path, R_OK) == 0 ? EINVAL : errno)
                let trouble =
                    SmallFile.isSpecial(path) ? "it is not a regular file" : "the file must contain one line, the token"
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

    /// A warning about the source of a usable token, or nil.
    public static func warning(_ settings: AdminSettings) -> String? {
        guard let path = settings.tokenFile, SmallFile.isPublic(path) else { return nil }
        return "every user of this machine can read the admin API's token in \(path); run chmod o-r on it"
    }

    /// The attempt that an error of `load` names.
    private static func attempt(_ settings: AdminSettings) -> String {
        "take the admin API's token from \(settings.tokenFile ?? AdminSettings.tokenVariable)"
    }

    /// The current token. While the file cannot be read, the last one stays active.
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
        // A file that is being replaced may be empty or incomplete for a moment.
        return try? TokenText.parse(text)
    }
}
