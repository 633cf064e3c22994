internal import Glibc
internal import Sockets

/// Paths of files and Unix sockets in a configuration.
enum PathText {
    /// The absolute path, resolved in a folder, which is empty if there is none. `.` and repeated slashes are removed, so that
    /// one file has one notation. Links and `..` are left to the system.
    static func absolute(_ text: some StringProtocol, in directory: String) throws(ValueError) -> String {
        guard !text.isEmpty else { throw ValueError("the path is empty") }
        guard text.first != "~" else {
            throw ValueError("\(quoted(text)): `~` is not expanded; write `${HOME}` or the absolute path")
        }
        guard !text.utf8.contains(0) else { throw ValueError("\(quoted(text)): a path cannot contain a NUL character") }
        guard text.first == "/" || !directory.isEmpty else {
            throw ValueError(
                "\(quoted(text)) is relative, and the working directory no longer exists; write an absolute path")
        }
        let whole = text.first == "/" ? String(text) : directory + "/" + text
        let parts = whole.split(separator: "/").filter { $0 != "." }
        let path = (whole.first == "/" ? "/" : "") + parts.joined(separator: "/")
        guard path.utf8.count < Int(PATH_MAX) else {
            throw ValueError("the path is \(path.utf8.count) bytes long; the limit is \(PATH_MAX - 1)")
        }
        return path
    }

    /// The path of a Unix socket, from the text after `unix:`. `@name`, an abstract name, is kept.
    static func socket(_ text: some StringProtocol, in directory: String) throws(ValueError) -> String {
        guard !text.isEmpty, text != "@" else {
            throw ValueError("`unix:\(text)` has no path; write unix:/run/app.sock")
        }
        let last = text.split(separator: "/", omittingEmptySubsequences: false).last
        guard last != "", last != ".", last != ".." else {
            throw ValueError(
                "\(quoted("unix:" + text)) is a directory; name the socket in it, such as unix:/run/app.sock")
        }
        let path: String
        if text.first == "@" {
            guard !text.utf8.contains(0) else {
                throw ValueError("\(quoted(text)): a path cannot contain a NUL character")
            }
            path = String(text)
        } else {
            path = try absolute(text, in: directory)
        }
        guard path.utf8.count <= SocketAddress.longestUnixPath else {
            throw ValueError(
                "the path \(quoted(path)) is \(path.utf8.count) bytes long; the limit for a Unix socket is "
                    + "\(SocketAddress.longestUnixPath)")
        }
        return path
    }
}
