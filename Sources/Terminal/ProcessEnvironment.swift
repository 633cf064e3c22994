// glibc declares `environ` as a mutable variable; no code here changes it once there are threads.
@preconcurrency import Glibc

/// The environment variables of the process.
package enum ProcessEnvironment {
    /// All variables. Read before there are threads.
    package static var all: [String: String] {
        var all: [String: String] = [:]
        var entry = environ
        while let line = entry.pointee {
            let text = String(cString: line)
            if let equals = text.firstIndex(of: "=") {
                // Of a repeated name the first entry counts, as in getenv(3).
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

/// The absolute working directory; empty where it was deleted or cannot be read. Then only relative paths are errors.
package func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
}
