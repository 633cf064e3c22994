import Glibc
import Sockets
import Terminal

/// Where the program lies that this process runs, as it was found at the start. A value.
///
/// An upgrade puts another file there, or moves a link: links stay unresolved, and `/proc/self/exe` still leads to the old
/// file then.
struct ProgramPath: Hashable, Sendable {
    /// Absolute.
    let path: String

    /// Finds out: the first word of the command line, taken from the working directory or looked for in `PATH`, if what
    /// lies there is what runs; else the system's answer.
    static func find(
        _ word: String = CommandLine.arguments.first ?? "", path: String = ProcessEnvironment.value("PATH") ?? ""
    ) -> ProgramPath? {
        let folder = workingDirectory()
        let candidates: [String]
        if word.contains("/") {
            candidates = [word.hasPrefix("/") ? word : "\(folder)/\(word)"]
        } else {
            candidates = path.split(separator: ":", omittingEmptySubsequences: false).map { entry in
                entry.hasPrefix("/") ? "\(entry)/\(word)" : "\(folder)/\(entry)/\(word)"
            }
        }
        guard let running = InputFile.identity(of: "/proc/self/exe") else { return nil }
        let found = candidates.first { InputFile.identity(of: $0)?.isSameFile(as: running) ?? false }
        return (found ?? systemsAnswer).map(ProgramPath.init(path:))
    }

    /// What the system says runs, with every link resolved.
    private static var systemsAnswer: String? {
        guard let path = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }
}
