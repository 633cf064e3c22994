import Text

/// `include`: the selected files of one folder belong to the configuration.
public struct Inclusion: Hashable, Sendable {
    /// The folder, absolute.
    public let folder: String
    /// The selection of its files.
    public let names: NamePattern
    /// The folder in messages: relative to the configuration file's path if it was written so.
    let shownFolder: String

    /// Parses a folder (`conf.d`) or a pattern of names in one (`conf.d/*.yaml`) from the file `path` in the absolute
    /// `directory`.
    init(parsing text: String, in path: String, directory: String) throws(ValueError) {
        let whole = try PathText.absolute(text, in: directory)
        var parts = whole.split(separator: "/")
        var shown = text.split(separator: "/")
        if let last = parts.last, NamePattern.isPattern(last) {
            names = NamePattern(last)
            parts.removeLast()
            shown.removeLast()
        } else {
            names = .configurations
        }
        guard !shown.contains(where: { NamePattern.isPattern($0) }) else {
            throw ValueError("\(quoted(text)): only the last part may be a pattern; name one directory")
        }
        folder = "/" + parts.joined(separator: "/")
        if text.first == "/" {
            shownFolder = folder
        } else {
            // Up to and including the last slash.
            let prefix = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            shownFolder = prefix + shown.filter { $0 != "." }.joined(separator: "/")
        }
        let ownName = path.split(separator: "/").last.map(String.init) ?? ""
        guard try PathText.absolute(".", in: directory) != folder || !names.matches(ownName) else {
            throw ValueError(
                "\(quoted(text)) matches this file itself; put the included files into a separate directory")
        }
    }

    /// A file's path in messages.
    func shown(_ name: String) -> String {
        switch shownFolder {
        case "": name.withVisibleControls
        case let folder where folder.hasSuffix("/"): folder + name.withVisibleControls
        default: shownFolder + "/" + name.withVisibleControls
        }
    }
}
