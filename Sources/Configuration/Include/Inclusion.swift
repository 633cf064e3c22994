import Text

/// `include`: which further files belong to a configuration, those of one folder whose names count.
public struct Inclusion: Hashable, Sendable {
    /// The folder, absolute.
    public let folder: String
    /// Which of its names count.
    public let names: NamePattern
    /// The folder as messages call it: beside the configuration file as that was named.
    let shownFolder: String

    /// Reads a folder (`conf.d`) or a pattern of names in one (`conf.d/*.yaml`), written in the file `path`, which lies
    /// in the absolute `directory`.
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
            throw ValueError("\(quoted(text)): only the last part may be a pattern; name one folder")
        }
        folder = "/" + parts.joined(separator: "/")
        if text.first == "/" {
            shownFolder = folder
        } else {
            // What stands before the last slash, that slash too.
            let beside = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            shownFolder = beside + shown.filter { $0 != "." }.joined(separator: "/")
        }
        let ownName = path.split(separator: "/").last.map(String.init) ?? ""
        guard try PathText.absolute(".", in: directory) != folder || !names.matches(ownName) else {
            throw ValueError(
                "\(quoted(text)) takes in this file itself; give the files that are included a folder of their own")
        }
    }

    /// A file of the folder as messages call it.
    func shown(_ name: String) -> String {
        switch shownFolder {
        case "": name.withVisibleControls
        case let folder where folder.hasSuffix("/"): folder + name.withVisibleControls
        default: shownFolder + "/" + name.withVisibleControls
        }
    }
}
