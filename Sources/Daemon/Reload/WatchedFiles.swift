import Configuration

/// Which entries of which directories decide what a configuration holds: its own file, those that it includes, and the
/// names in the included folder that would be included too if there were files of that name.
struct WatchedFiles: Hashable, Sendable {
    /// The entries that matter, by their directory, which is absolute and has no link in it.
    private(set) var entries: [String: Set<String>]
    /// The directory of included files, links followed; nil where there is none.
    private let folder: String?
    private let names: NamePattern?

    /// Walks the absolute path of the configuration and those of what it includes.
    init(_ path: String, including included: IncludedPaths?, look: (String) -> WatchedPath.Entry = WatchedPath.look) {
        entries = WatchedPath(path, look: look).entries
        names = included?.inclusion.names
        guard let included else {
            folder = nil
            return
        }
        // A name that leads into the folder and counts in it for itself, whatever files there are.
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
