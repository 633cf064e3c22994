internal import Glibc

/// Changes files in the ways in which programs change them.
public enum Files {
    /// Writes a file in place: truncates an existing one and writes it again, or creates it.
    public static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "we") else { throw TestFailure("\(path): errno \(errno)") }
        fputs(text, file)
        guard fclose(file) == 0 else { throw TestFailure("\(path): errno \(errno)") }
    }

    /// Appends to a file.
    public static func append(_ text: String, to path: String) throws {
        guard let file = fopen(path, "ae") else { throw TestFailure("\(path): errno \(errno)") }
        fputs(text, file)
        guard fclose(file) == 0 else { throw TestFailure("\(path): errno \(errno)") }
    }

    /// Writes a temporary file and renames it over the target.
    public static func replace(_ path: String, with text: String) throws {
        try write(text, to: path + ".new")
        try move(path + ".new", to: path)
    }

    /// The content of a file.
    public static func bytes(of path: String) throws -> [UInt8] {
        guard let file = fopen(path, "re") else { throw TestFailure("\(path): errno \(errno)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return bytes
    }

    /// Renames.
    public static func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else { throw TestFailure("rename \(path): errno \(errno)") }
    }

    /// Creates a link, and replaces an existing one in one step.
    public static func link(_ path: String, to target: String) throws {
        guard symlink(target, path + ".tmp") == 0 else { throw TestFailure("link \(path): errno \(errno)") }
        try move(path + ".tmp", to: path)
    }

    /// Creates a directory.
    public static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 else { throw TestFailure("mkdir \(path): errno \(errno)") }
    }

    /// Removes a file or an empty directory.
    public static func remove(_ path: String) throws {
        guard Glibc.remove(path) == 0 else { throw TestFailure("remove \(path): errno \(errno)") }
    }

    /// The content of a file; nil if it does not exist.
    public static func read(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
