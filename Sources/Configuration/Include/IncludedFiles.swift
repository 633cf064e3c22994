internal import Glibc
internal import Sockets
import Text

/// The contents of a configuration's included files at one moment. Read errors are part of it, so that two values are
/// equal when a reload would have the same result.
struct IncludedFiles: Hashable, Sendable {
    /// The largest number of files: enough for one file per service.
    static let mostFiles = 1000
    /// The largest total size in bytes.
    static let mostBytes = 4 << 20
    /// The largest number of names that are read from the folder.
    private static let mostNames = 20_000

    /// One of the files.
    struct File: Hashable, Sendable {
        /// Its path in messages.
        let shown: String
        /// Its contents, or why it could not be read.
        let content: Result<[UInt8], ValueError>
    }

    /// The value of `include`.
    let inclusion: Inclusion
    /// The names of the files, readable or not, sorted by bytes.
    let names: [String]
    /// The files in the same order.
    let files: [File]
    /// Why the list is incomplete; nil when it is complete.
    let failure: ValueError?

    /// Reads the files. Blocks.
    init(reading inclusion: Inclusion) {
        self.inclusion = inclusion
        var files: [File] = []
        var names: [String] = []
        var failure: ValueError?
        do throws(ValueError) {
            names = try Self.names(inclusion)
            var bytes = 0
            for name in names {
                guard let file = Self.read(name, inclusion) else { continue }
                files.append(file)
                bytes += (try? file.content.get().count) ?? 0
                guard bytes <= Self.mostBytes else {
                    throw ValueError("the files are larger than \(SizeText.text(of: Self.mostBytes)) in total")
                }
            }
        } catch {
            failure = error
        }
        self.names = names
        self.files = files
        self.failure = failure
    }

    /// Nil for a file that was removed after its folder was read; a broken link is an error instead.
    private static func read(_ name: String, _ inclusion: Inclusion) -> File? {
        let path = inclusion.folder + "/" + name
        let content = Result { () throws(ValueError) in
            try ConfigurationFile.read(path, onlyPlainFiles: true)
        }
        var status = stat()
        if case .failure = content, lstat(path, &status) != 0, errno == ENOENT { return nil }
        return File(shown: inclusion.shown(name), content: content)
    }

    /// The selected names. Throws when there are too many, or the folder cannot be read.
    private static func names(_ inclusion: Inclusion) throws(ValueError) -> [String] {
        guard let stream = opendir(inclusion.folder) else {
            let error = Errno.current
            switch error.code {
            case ENOENT:
                throw ValueError("directory \(quoted(inclusion.folder)) does not exist; create it (it may be empty)")
            case ENOTDIR:
                throw ValueError(
                    "\(quoted(inclusion.folder)) is not a directory; write the directory of the files, or a pattern such as "
                        + "conf.d/*.yaml")
            default: throw ValueError("the directory \(quoted(inclusion.folder)) cannot be read: \(error)")
            }
        }
        defer { closedir(stream) }
        var names: [String] = []
        var seen = 0
        while let entry = readdir(stream) {
            seen += 1
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if inclusion.names.matches(name) { names.append(name) }
            guard seen <= mostNames, names.count <= mostFiles else {
                throw ValueError(
                    "\(quoted(inclusion.folder)) has more than "
                        + (names.count > mostFiles
                            ? "\(mostFiles) files to include" : "\(mostNames) entries"))
            }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }
}

/// The folder and the files that a configuration includes, which must be watched besides its own file.
public struct IncludedPaths: Hashable, Sendable {
    /// The folder and the selection of its files.
    public let inclusion: Inclusion
    /// The absolute paths of the existing files.
    public let files: [String]
}
