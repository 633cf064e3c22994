import Terminal

/// Paths in tables. Pure.
enum PathText {
    /// A path in at most this many columns: its first folders, `…` (or `~` in ASCII), and its file name, which is never
    /// cut. The table cuts what is still too long.
    static func shortened(_ path: String, to columns: Int, showsUnicode: Bool) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard path.columns > columns, parts.count > 2, let file = parts.last.map(String.init) else { return path }
        var head = ""
        for part in parts.dropLast() {
            let next = head + part + "/"
            guard next.columns + 2 + file.columns <= columns else { break }
            head = next
        }
        return "\(head)\(showsUnicode ? "…" : "~")/\(file)"
    }
}
