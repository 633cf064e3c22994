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

    /// The token of some settings: of the file, else of the environment; nil where there is none. Throws where the file
    /// cannot be read or holds none.
    public static func load(
        _ settings: AdminSettings, environment: String?
    ) throws(SystemError) -> AdminToken? {
        if let path = settings.tokenFile {
            guard let value = read(path) else {
                throw SystemError(
                    attempt(path), Errno(access(path, R_OK) == 0 ? EINVAL : errno),
                    advice: "the file holds one line: the token, of 8 to 1024 printable characters without spaces")
            }
            return AdminToken(value, path: path)
        }
        guard let environment, isGood(environment) else { return nil }
        return AdminToken(environment, path: nil)
    }

    /// What an error of `load` for a file says was attempted.
    public static func attempt(_ path: String) -> String {
        "take the admin API's token from \(path)"
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
        let value = text.split(whereSeparator: \.isWhitespace)
        guard value.count == 1, isGood(String(value[0])) else { return nil }
        return String(value[0])
    }

    /// RFC 6750 allows these characters, and more than a few are needed to be worth anything.
    static func isGood(_ token: String) -> Bool {
        (8...1024).contains(token.utf8.count) && token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
