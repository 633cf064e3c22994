import Glibc

/// The directory entries that determine where a path leads: the file, and every link on the way.
///
/// A file of a mounted ConfigMap is a link to `..data/file`, where `..data` is a link, too, and the only entry that is
/// replaced when the ConfigMap changes.
struct WatchedPath: Hashable, Sendable {
    /// The kind of an entry, links not followed.
    enum Entry: Hashable, Sendable {
        case missing
        /// A link, with its target.
        case link(String)
        /// A file, a directory, or anything else.
        case other
    }

    /// The name of a ConfigMap's link. It is relevant before it is on the path, too.
    static let configMapLink = "..data"
    /// The most links that the kernel follows (path_resolution(7)).
    private static let mostLinks = 40

    /// The relevant entries by directory; the path is absolute and without links.
    private(set) var entries: [String: Set<String>] = [:]
    /// The directory of the path's last component; nil where the walk ended before.
    private(set) var directory: String?

    /// Walks an absolute path as the kernel does. Where a component is missing, the walk ends, and that entry is
    /// relevant.
    init(_ path: String, look: (String) -> Entry = WatchedPath.look) {
        var rest = Self.components(path)
        var directory = "/"
        var links = 0
        var isInGivenPath = true
        while let name = rest.popLast() {
            guard name != ".." else {
                directory = String(directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)])
                if directory.isEmpty { directory = "/" }
                continue
            }
            if rest.isEmpty, isInGivenPath {
                // The last component of the given path; components of link targets come later.
                isInGivenPath = false
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

    /// The components of a path in reverse order.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.reversed().map(String.init)
    }

    /// The entry in the file system.
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
