internal import Glibc
internal import Sockets
public import Text

/// The folder with a user's local certificate authority: `ca.pem`, and `ca.key`, which only the user may read.
///
/// It is `$XDG_STATE_HOME/tapline/ca`, by default `~/.local/state/tapline/ca` (XDG Base Directory Specification). An
/// authority is created once, and never replaced: programs were set up to trust it. A value; any thread. The functions
/// block.
public struct LocalAuthorityFolder: Hashable, Sendable {
    /// The variable with the folder of a user's state.
    public static let variable = "XDG_STATE_HOME"
    /// The largest file that is read, bytes.
    private static let most = 64 << 10
    /// An attempt fails if another process removes what this one sees; it is not repeated more often.
    private static let attempts = 3

    /// The absolute path.
    public let path: String
    /// The path of the certificate.
    public var certificatePath: String { path + "/ca.pem" }
    /// The path of the private key.
    public var keyPath: String { path + "/ca.key" }

    /// The folder of a process with these environment variables. Relative paths in them do not count.
    public init(_ variables: [String: String]) throws(LocalAuthorityError) {
        func absolute(_ name: String) -> String? {
            variables[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        let own = absolute(Self.variable)
        guard let state = own ?? absolute("HOME").map({ $0 + "/.local/state" }) else { throw .noPlace }
        path = (state.hasSuffix("/") ? String(state.dropLast()) : state) + "/tapline/ca"
    }

    /// The owner's name in a new authority: `user@host`.
    public static func owner(_ variables: [String: String]) -> String {
        let user = ["USER", "LOGNAME"].lazy.compactMap { variables[$0] }.first { !$0.isEmpty }
        var name = [CChar](repeating: 0, count: 256)
        let hasName = gethostname(&name, name.count - 1) == 0
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (user ?? "uid \(geteuid())") + (hasName && !host.isEmpty ? "@\(host)" : "")
    }

    // MARK: Reading

    /// The authority; nil if there is none yet. `now`: seconds since 1970 UTC.
    public func load(at now: Int64 = WallClock.now / 1_000_000_000) throws(LocalAuthorityError) -> LocalAuthority? {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else {
            let error = Errno.current
            if error == .missing { return nil }
            throw error.code == ENOTDIR ? .notAFolder(path) : .unreadable(path, error)
        }
        defer { close(folder) }
        var facts = stat()
        guard fstat(folder, &facts) == 0 else { throw .unreadable(path, .current) }
        try check(facts, path, isSecret: false)
        let certificate = try read("ca.pem", in: folder, isSecret: false)
        let key = try read("ca.key", in: folder, isSecret: true)
        guard let certificate, let key else {
            if certificate == nil, key == nil { return nil }
            throw .incomplete(missing: certificate == nil ? certificatePath : keyPath, folder: path)
        }
        do throws(TLSCredentialError) {
            return try LocalAuthority(certificate: certificate, key: key, at: now)
        } catch {
            throw .invalid(error.isOfKey ? keyPath : certificatePath, error, folder: path)
        }
    }

    /// The content of a file in the folder; nil if there is none. A symbolic link is not followed.
    private func read(_ name: String, in folder: CInt, isSecret: Bool) throws(LocalAuthorityError) -> [UInt8]? {
        let path = "\(path)/\(name)"
        // Without O_NONBLOCK, opening a FIFO waits for a writer.
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            let error = Errno.current
            if error == .missing { return nil }
            throw error.code == ELOOP ? .notAFile(path) : .unreadable(path, error)
        }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else { throw .unreadable(path, .current) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path) }
        try check(facts, path, isSecret: isSecret)
        var bytes = [UInt8](repeating: 0, count: Self.most)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { buffer in
                Errno.retrying { Glibc.read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count) }
            }
            guard more >= 0 else { throw .unreadable(path, .current) }
            if more == 0 { break }
            count += more
        }
        return Array(bytes.prefix(count))
    }

    private func check(_ facts: stat, _ path: String, isSecret: Bool) throws(LocalAuthorityError) {
        guard facts.st_uid == geteuid() else { throw .foreign(path, user: facts.st_uid, folder: self.path) }
        let mode = facts.st_mode & 0o7777
        if isSecret, mode & 0o077 != 0 { throw .exposed(path, mode: mode, folder: self.path) }
        if mode & 0o022 != 0 { throw .writable(path, mode: mode) }
    }

    // MARK: Creating

    /// The authority, which is created if there is none. Of several processes that create it at once, one succeeds, and
    /// the others use what it has created. `owner`: its name, such as `user@host`.
    public func loadOrCreate(
        owner: String, at now: Int64 = WallClock.now / 1_000_000_000
    ) throws(LocalAuthorityError) -> (authority: LocalAuthority, isNew: Bool) {
        var isNew = false
        for _ in 0..<Self.attempts {
            if let authority = try load(at: now) { return (authority, isNew) }
            isNew = try create(owner: owner, at: now)
        }
        throw .occupied(path)
    }

    /// Creates both files in a new folder, which then gets the name at once. False: a folder that is not empty has the
    /// name.
    private func create(owner: String, at now: Int64) throws(LocalAuthorityError) -> Bool {
        let made: (certificate: [UInt8], key: [UInt8])
        do throws(TLSCredentialError) {
            made = try LocalAuthority.make(owner: owner, at: now)
        } catch {
            throw .failed(error)
        }
        let parent = String(path.dropLast("/ca".count))
        try Self.createFolders(parent)
        var template = Array("\(parent)/.ca-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .notCreated(parent, .current) }
        let draft = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            // After the folder has its name, neither exists.
            for file in ["\(draft)/ca.key", "\(draft)/ca.pem"] { _ = unlink(file) }
            _ = rmdir(draft)
        }
        try Self.write(made.key, to: "\(draft)/ca.key", mode: 0o600)
        try Self.write(made.certificate, to: "\(draft)/ca.pem", mode: 0o644)
        try Self.synchronize(draft)
        // rename(2) replaces an empty folder, and nothing else.
        guard rename(draft, path) == 0 else {
            let error = Errno.current
            switch error.code {
            case EEXIST, ENOTEMPTY: return false
            case ENOTDIR: throw .notAFolder(path)
            default: throw .notCreated(path, error)
            }
        }
        try Self.synchronize(parent)
        return true
    }

    /// Creates a folder and those above it, for this user only.
    private static func createFolders(_ path: String) throws(LocalAuthorityError) {
        var folder = ""
        for part in path.split(separator: "/") {
            folder += "/\(part)"
            // Some systems say EACCES or EROFS of a folder that exists.
            guard mkdir(folder, 0o700) != 0, errno != EEXIST else { continue }
            let error = Errno.current
            var facts = stat()
            guard stat(folder, &facts) == 0 else { throw .notCreated(folder, error) }
        }
    }

    private static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(LocalAuthorityError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard file >= 0 else { throw .notCreated(path, .current) }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                Errno.retrying { Glibc.write(file, buffer.baseAddress, buffer.count) }
            }
            guard count > 0 else { throw .notCreated(path, .current) }
            rest = rest.dropFirst(count)
        }
        // The process's umask has no say.
        guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw .notCreated(path, .current) }
    }

    private static func synchronize(_ path: String) throws(LocalAuthorityError) {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .notCreated(path, .current) }
        defer { close(folder) }
        // Some file systems cannot do it for folders.
        guard fsync(folder) == 0 || errno == EINVAL else { throw .notCreated(path, .current) }
    }
}
