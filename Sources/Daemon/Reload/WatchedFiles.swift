import Configuration

/// The directory entries that determine a configuration's content: its file, the included files, names in the included
/// folder that match the pattern, whether they exist or not, and the files of certificates.
struct WatchedFiles: Hashable, Sendable {
    /// The relevant entries by directory; the path is absolute and without links.
    private(set) var entries: [String: Set<String>]
    /// The included folder with links resolved; nil without `include`.
    private let folder: String?
    private let names: NamePattern?

    /// Walks the absolute paths of the configuration, of the files of its certificates, and of the included files.
    init(
        _ path: String, including included: IncludedPaths?, certificates: [String] = [],
        look: (String) -> WatchedPath.Entry = WatchedPath.look
    ) {
        entries = WatchedPath(path, look: look).entries
        for file in certificates { entries.merge(WatchedPath(file, look: look).entries) { $0.union($1) } }
        names = included?.inclusion.names
        guard let included else {
            folder = nil
            return
        }
        // A path into the folder: its last entry, `..data`, is relevant whatever files there are.
        let inside = WatchedPath(included.inclusion.folder + "/" + WatchedPath.configMapLink, look: look)
        folder = inside.directory
        entries.merge(inside.entries) { $0.union($1) }
        for file in included.files {
            entries.merge(WatchedPath(file, look: look).entries) { $0.union($1) }
        }
    }

    /// Whether a change of this entry may change the configuration.
    func matters(_ name: String, in directory: String) -> Bool {
        if entries[directory]?.contains(name) == true { return true }
        return directory == folder && names?.matches(name) == true
    }
}
