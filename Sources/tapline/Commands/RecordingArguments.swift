import Sockets

/// The arguments of commands that read recordings: files, and perhaps a connection's number at the end.
enum RecordingArguments {
    /// The files, and the number of the last argument if it is none of them: `7` or `#7`. A file of such a name is a file.
    static func split(_ arguments: [String]) -> (paths: [String], connection: UInt64?) {
        guard let last = arguments.last, arguments.count > 1, InputFile.identity(of: last) == nil else {
            return (arguments, nil)
        }
        guard let number = UInt64(last.hasPrefix("#") ? last.dropFirst() : Substring(last)) else {
            return (arguments, nil)
        }
        return (Array(arguments.dropLast()), number)
    }
}
