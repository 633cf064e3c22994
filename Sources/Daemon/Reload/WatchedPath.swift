import Glibc

/// Which entries of which directories decide what a path leads to: the file, and every link on the way.
///
/// A file in a mounted ConfigMap is a link to `..data/file`, where `..data` is a link too, and the only thing that is
/// replaced when the ConfigMap changes.
struct WatchedPath: Hashable, Sendable {
    /// What stands at a path, links not followed.
    enum Entry: Hashable, Sendable {
        case missing
        /// A link, with what it holds.
        case link(String)
        /// A file, a directory, or anything else.
        case other
    }

    /// The name of a ConfigMap's link. It counts beside the file also when it is not on the path yet.
    static let configMapLink = "..data"
    /// As many links as the system follows (path_resolution(7)).
    private static let mostLinks = 40

    /// The entries that matter, by their directory, which is absolute and has no link in it.
    private(set) var entries: [String: Set<String>] = [:]
    /// The directory in which the last part of the path stands; nil where the walk ended before.
    private(set) var directory: String?

    /// Walks an absolute path as the system does. Where it ends early, because something is missing, the missing entry
    /// is what matters.
    init(_ path: String, look: (String) -> Entry = WatchedPath.look) {
        var rest = Self.components(path)
        var directory = "/"
        var links = 0
        var isBeside = true
        while let name = rest.popLast() {
            guard name != ".." else {
                directory = String(directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)])
                if directory.isEmpty { directory = "/" }
                continue
            }
            if rest.isEmpty, isBeside {
                // The last of the path as it was given; what links put in its place comes later.
                isBeside = false
                self.directory = directory
                entries[directory, default: []].insert(Self.configMapLink)
            }
            let here = directory == "/" ? "/" + name : directory + "/" + name
            switch look(here) {
            case .link(let target):
                entries[directory, default: []].insert(name)
                links += 1
                guard links <= Self.mostLinks else { return }
                if target.hasPrefix("/") { directory = "/" }
                rest += Self.components(target)
            case .missing:
                entries[directory, default: []].insert(name)
                return
            case .other:
                if rest.isEmpty { entries[directory, default: []].insert(name) } else { directory = here }
            }
        }
    }

    /// The parts of a path, the first one last.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.reversed().map(String.init)
    }

    /// Asks the system.
    static func look(_ path: String) -> Entry {
        var status = stat()
        guard lstat(path, &status) == 0 else { return .missing }
        guard status.st_mode & S_IFMT == S_IFLNK else { return .other }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return .missing }
            let count = readlink(path, base, buffer.count)
            guard count > 0 else { return .missing }
            return .link(String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
    }
}
