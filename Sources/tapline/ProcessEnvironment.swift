// glibc declares `environ` as a variable that anybody may change; nothing here does once threads run.
@preconcurrency import Glibc

/// What the process was given by whoever started it.
enum ProcessEnvironment {
    /// Every variable. Read before there are threads.
    static var all: [String: String] {
        var all: [String: String] = [:]
        var entry = environ
        while let line = entry.pointee {
            let text = String(cString: line)
            if let equals = text.firstIndex(of: "=") {
                // Of a name that stands twice the first one counts, as for getenv(3).
                let name = String(text[..<equals])
                all[name] = all[name] ?? String(text[equals...].dropFirst())
            }
            entry += 1
        }
        return all
    }

    /// One variable.
    static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// The folder that relative paths of the command line are relative to, absolute.
func workingDirectory() throws -> String {
    guard let path = getcwd(nil, 0) else {
        throw CommandFailure(.system, "tapline: the working directory is gone")
    }
    defer { free(path) }
    return String(cString: path)
}
