// glibc declares `environ` as a variable that may change; nothing here changes it once threads run.
@preconcurrency import Glibc

/// The environment variables of the process.
package enum ProcessEnvironment {
    /// Every variable. Read before there are threads.
    package static var all: [String: String] {
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
    package static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// The folder that relative paths of the command line are relative to, absolute; empty where it was deleted or cannot be
/// reached. Only a relative path is an error then.
package func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
}
