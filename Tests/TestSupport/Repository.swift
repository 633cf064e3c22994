internal import Glibc

/// The files of this repository, located by the path of this source file.
public enum Repository {
    /// The folder of Package.swift.
    public static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    /// The text of a file, by its path from the root.
    public static func text(_ path: String) throws -> String {
        String(decoding: try Files.bytes(of: "\(root)/\(path)"), as: UTF8.self)
    }

    /// The paths from the root of a folder's files.
    public static func files(in folder: String, ending suffix: String) throws -> [String] {
        guard let directory = opendir("\(root)/\(folder)") else { throw TestFailure("\(folder): errno \(errno)") }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(suffix) { names.append("\(folder)/\(name)") }
        }
        return names.sorted()
    }

    /// The paths from the root of all regular files below a folder, without symbolic links and compiled files.
    public static func tree(_ folder: String) throws -> [String] {
        guard let directory = opendir("\(root)/\(folder)") else { throw TestFailure("\(folder): errno \(errno)") }
        defer { closedir(directory) }
        var paths: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let path = "\(folder)/\(name)"
            var facts = stat()
            guard name != ".", name != "..", name != "__pycache__", lstat("\(root)/\(path)", &facts) == 0 else {
                continue
            }
            switch facts.st_mode & S_IFMT {
            case S_IFDIR: paths += try tree(path)
            case S_IFREG: paths.append(path)
            default: break
            }
        }
        return paths.sorted()
    }
}
