internal import Text

/// The page at `/`: one file, `page.html`, which the package manager puts into the program.
///
/// It may load nothing from anywhere and talk to nobody but this API (Content Security Policy Level 3): its one style
/// and its one script are allowed by their hashes, which are made of the file itself, so whoever edits it has nothing
/// else to keep up to date. Handlers and styles in attributes do not work, therefore.
enum Page {
    /// The page as it is answered.
    static let answer = Answer(
        type: "text/html; charset=utf-8",
        fields: [
            "Content-Security-Policy": policy(of: PackageResources.page_html),
            "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
        ],
        content: .whole(PackageResources.page_html))

    /// What a browser may do with a file.
    static func policy(of html: [UInt8]) -> String {
        let scripts = sources("script", in: html)
        let styles = sources("style", in: html)
        return "default-src 'none'; script-src \(scripts); style-src \(styles); img-src data:; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    /// The hashes of every element of that name without attributes, as sources of a policy; `'none'` without any.
    private static func sources(_ name: String, in html: [UInt8]) -> String {
        let (open, close) = (Array("<\(name)>".utf8), Array("</\(name)>".utf8))
        var hashes: [String] = []
        var rest = html[...]
        while let start = rest.firstRange(of: open), let end = rest[start.upperBound...].firstRange(of: close) {
            let content = rest[start.upperBound..<end.lowerBound]
            var hash: [UInt8] = []
            hash.append(base64: SHA256.hash(content)[...])
            hashes.append("'sha256-\(String(decoding: hash, as: UTF8.self))'")
            rest = rest[end.upperBound...]
        }
        return hashes.isEmpty ? "'none'" : hashes.joined(separator: " ")
    }
}
