internal import Glibc
internal import Sockets
import Text

/// What stood in the files that a configuration includes, at one moment. Also what kept it from being read is kept, so
/// that two of them are equal when there is nothing new to say.
struct IncludedFiles: Hashable, Sendable {
    /// The most files. A service of its own for each is the case to think of; more belong into fewer files.
    static let mostFiles = 1000
    /// The most bytes of all of them together.
    static let mostBytes = 4 << 20
    /// The most names that are looked through in the folder.
    private static let mostNames = 20_000

    /// One of the files.
    struct File: Hashable, Sendable {
        /// As messages call it.
        let shown: String
        /// What stood in it, or why that is not known.
        let content: Result<[UInt8], ValueError>
    }

    /// What `include` says.
    let inclusion: Inclusion
    /// The names of the files, sorted byte by byte, whether they could be read or not.
    let names: [String]
    /// The files in the same order.
    let files: [File]
    /// Why they are not all of them.
    let failure: ValueError?

    /// Reads the files, which blocks on them.
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
                    throw ValueError("the files hold more than \(SizeText.text(of: Self.mostBytes)) together")
                }
            }
        } catch {
            failure = error
        }
        self.names = names
        self.files = files
        self.failure = failure
    }

    /// Nil for a file that is gone since its folder was read; a link to nothing is not gone.
    private static func read(_ name: String, _ inclusion: Inclusion) -> File? {
        let path = inclusion.folder + "/" + name
        let content = Result { () throws(ValueError) in
            try ConfigurationFile.read(path, onlyPlainFiles: true)
        }
        var status = stat()
        if case .failure = content, lstat(path, &status) != 0, errno == ENOENT { return nil }
        return File(shown: inclusion.shown(name), content: content)
    }

    /// The names that count. Throws when there are too many, or the folder cannot be read.
    private static func names(_ inclusion: Inclusion) throws(ValueError) -> [String] {
        guard let stream = opendir(inclusion.folder) else {
            let error = Errno.current
            switch error.code {
            case ENOENT:
                throw ValueError("there is no folder \(quoted(inclusion.folder)); make it, also if it is empty")
            case ENOTDIR:
                throw ValueError(
                    "\(quoted(inclusion.folder)) is no folder; name the folder that the files are in, or a pattern such "
                        + "as conf.d/*.yaml")
            default: throw ValueError("the folder \(quoted(inclusion.folder)) cannot be read: \(error)")
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
                            ? "\(mostFiles) files that are to be included" : "\(mostNames) entries"))
            }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }
}

/// Which folder and files a configuration includes: what a watch has to look at beside the configuration file.
public struct IncludedPaths: Hashable, Sendable {
    /// The folder, and which of its names count.
    public let inclusion: Inclusion
    /// The absolute paths of the files that are there.
    public let files: [String]
}
