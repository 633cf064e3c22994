internal import Glibc

/// The files of this repository, found from where this source was compiled.
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
}
