internal import Glibc

/// Which names of a folder count: those that end as configurations do, or those that a pattern of the shell's means.
public struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    /// The endings that count in a folder of which nothing more is said. JSON is YAML too.
    static let endings = [".yaml", ".yml", ".json"]

    /// The pattern; nil: by the endings.
    private let pattern: String?

    /// Every name with one of the endings.
    static let configurations = NamePattern(pattern: nil)

    private init(pattern: String?) {
        self.pattern = pattern
    }

    /// A pattern with `*`, `?` or `[…]`.
    init(_ pattern: some StringProtocol) {
        self.init(pattern: String(pattern))
    }

    /// Whether a text is a pattern rather than a name.
    static func isPattern(_ text: some StringProtocol) -> Bool {
        text.contains { "*?[".contains($0) }
    }

    /// Whether a name counts. One that begins with a dot counts only where the pattern does, as in the shell: editors,
    /// and Kubernetes in a ConfigMap, keep their own things under such names.
    public func matches(_ name: String) -> Bool {
        guard let pattern else {
            return name.first != "." && Self.endings.contains { name.hasSuffix($0) }
        }
        return fnmatch(pattern, name, FNM_PERIOD | FNM_NOESCAPE) == 0
    }

    /// In words, as what is looked for.
    public var description: String {
        pattern.map { quoted($0) } ?? Self.endings.map { "`*\($0)`" }.joined(separator: ", ")
    }
}
