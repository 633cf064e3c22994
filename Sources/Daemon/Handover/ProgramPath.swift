import Glibc
import Sockets
import Terminal

/// The path of the running program, determined at the start. A value.
///
/// An upgrade replaces the file or moves a link: so links are not resolved, and `/proc/self/exe` is not used, which
/// still leads to the old file.
struct ProgramPath: Hashable, Sendable {
    /// An absolute path.
    let path: String

    /// The first word of the command line, relative to the working directory or found in `PATH`, if it leads to the
    /// running file; else the kernel's answer.
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

    /// The kernel's path of the running file, with every link resolved.
    private static var systemsAnswer: String? {
        guard let path = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }
}
