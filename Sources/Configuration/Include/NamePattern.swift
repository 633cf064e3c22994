internal import Glibc

/// Selects the file names in a folder: by a shell pattern, or by the usual endings of configurations.
public struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    /// The selected endings without a pattern. JSON is YAML too.
    static let endings = [".yaml", ".yml", ".json"]

    /// The pattern; nil selects by the endings.
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

    /// Whether a name is selected. As in the shell, a name that begins with a dot needs a pattern that begins with one:
    /// editors, and Kubernetes in a ConfigMap, use such names for their own files.
    public func matches(_ name: String) -> Bool {
        guard let pattern else {
            return name.first != "." && Self.endings.contains { name.hasSuffix($0) }
        }
        return fnmatch(pattern, name, FNM_PERIOD | FNM_NOESCAPE) == 0
    }

    /// The pattern or the endings, for messages.
    public var description: String {
        pattern.map { quoted($0) } ?? Self.endings.map { "`*\($0)`" }.joined(separator: ", ")
    }
}
