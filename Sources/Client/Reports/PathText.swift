/// Paths in tables. Pure.
enum PathText {
    /// A path in at most this many columns: its first folders, `…` (or `~` in ASCII), and its file name, which is never cut. The table cuts
    /// what is still too long.
    static func shortened(_ path: String, to columns: Int, showsUnicode: Bool) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard path.count > columns, parts.count > 2, let file = parts.last else { return path }
        var head = ""
        for part in parts.dropLast() {
            let next = head + part + "/"
            guard next.count + 2 + file.count <= columns else { break }
            head = next
        }
        return "\(head)\(showsUnicode ? "…" : "~")/\(file)"
    }
}
