import Glibc

/// The files of this repository, found from where this source was compiled.
enum Repository {
    /// The folder of Package.swift.
    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    struct Unreadable: Error {
        let path: String
    }

    /// The text of a file, by its path from the root.
    static func text(_ path: String) throws -> String {
        guard let file = fopen("\(root)/\(path)", "re") else { throw Unreadable(path: path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The paths from the root of a folder's files.
    static func files(in folder: String, ending suffix: String) throws -> [String] {
        guard let directory = opendir("\(root)/\(folder)") else { throw Unreadable(path: folder) }
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
