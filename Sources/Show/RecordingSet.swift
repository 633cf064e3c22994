import Recording
import Sockets
package import Terminal
import Text

/// The recordings of one command: files and folders, in the order in which they are read.
package struct RecordingSet {
    /// Files that are read as one recording: the rotated files of a relay, in the order of time.
    struct Group {
        var paths: [String]

        /// The name of its file, or of the relay and its files: `web (3 files)`.
        var shortName: String {
            let name = paths.first?.split(separator: "/").last.map(String.init) ?? "-"
            guard paths.count > 1 else { return name }
            return "\(RecordingFileName.relay(inFileNamed: name) ?? name) (\(paths.count) files)"
        }
    }

    let groups: [Group]
    /// Whether there is one file only.
    var isSingle: Bool { groups.count == 1 && groups[0].paths.count == 1 }
    /// The name in messages.
    package let name: String

    /// The extensions of the files of a folder that are read.
    private static let extensions = [".pcapng", ".pcap", ".cap"]
    /// The bytes in which the first packet is looked for.
    private static let lookAhead = 256 * 1024

    /// The files and the recordings in the folders; `-` is standard input. Throws for a folder without recordings.
    package init(_ arguments: [String]) throws(CommandFailure) {
        var paths: [String] = []
        for argument in arguments {
            for path in try Self.paths(argument) where !paths.contains(path) { paths.append(path) }
        }
        name = paths.count == 1 ? (paths[0] == "-" ? "standard input" : paths[0]) : "\(paths.count) recordings"
        // A single input is not opened twice: it may be a FIFO.
        guard paths.count > 1 else {
            groups = [Group(paths: paths)]
            return
        }
        guard !paths.contains("-") else {
            throw CommandFailure(.usage, "tapline: standard input (-) cannot be combined with other recordings")
        }
        groups = Self.group(paths)
    }

    private static func paths(_ argument: String) throws(CommandFailure) -> [String] {
        guard argument != "-", InputFile.identity(of: argument)?.isDirectory == true else { return [argument] }
        let names: [String]
        do {
            names = try Directory(path: argument).files()
        } catch {
            throw CommandFailure(.failure, "tapline: \(error)")
        }
        let recordings = names.filter { name in extensions.contains { name.hasSuffix($0) } }.sorted()
        guard !recordings.isEmpty else {
            let kinds = extensions.joined(separator: ", ")
            throw CommandFailure(.failure, "tapline: no recordings in the directory \(argument) (\(kinds))")
        }
        let folder = argument.hasSuffix("/") ? argument : argument + "/"
        return recordings.map { folder + $0 }
    }

    // MARK: Order

    /// One relay's files in one folder are a group; every other file is one of its own. Groups are in the order of
    /// their first packets.
    private static func group(_ paths: [String]) -> [Group] {
        var groups: [[String]: [String]] = [:]
        for path in paths { groups[key(of: path), default: []].append(path) }
        let ordered = groups.values.map { paths in
            // The names of one relay sort by time.
            let sorted = paths.sorted()
            return (time: firstTime(of: sorted), paths: sorted)
        }
        return ordered.sorted { ($0.time, $0.paths[0]) < ($1.time, $1.paths[0]) }.map { Group(paths: $0.paths) }
    }

    private static func key(of path: String) -> [String] {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, let relay = RecordingFileName.relay(inFileNamed: String(name)) else {
            return [path]
        }
        return [parts.dropLast().joined(separator: "/"), relay, "recordings"]
    }

    /// The time of the first packet in nanoseconds; the latest possible one where there is none.
    private static func firstTime(of paths: [String]) -> Int64 {
        for path in paths where InputFile.identity(of: path)?.isRegular == true {
            guard let bytes = try? InputFile(path: path).read(atMost: lookAhead) else { continue }
            if let time = RecordingReader.time(ofFirstPacketIn: bytes) { return time.nanoseconds }
        }
        return .max
    }

    // MARK: Size

    /// The bytes of all files; 0 if one of them is no file, so that its size is unknown.
    var size: UInt64 {
        var size: UInt64 = 0
        for path in groups.flatMap(\.paths) {
            guard let identity = InputFile.identity(of: path), identity.isRegular else { return 0 }
            size &+= identity.size
        }
        return size
    }
}
