import EventLoop
import Recording
import Sockets

/// The connections and relays in recordings.
package struct RecordedNames: Hashable, Sendable {
    /// The ids, in the order of the recordings.
    package private(set) var ids: [String] = []
    /// The names of the relays, in alphabetical order.
    package private(set) var relays: [String] = []

    private var seen: Set<String> = []
    private var names: Set<String> = []

    /// Bytes per read.
    private static let chunk = 256 * 1024
    /// The most ids: more are no help to a person.
    private static let mostIDs = 1000

    /// Reads files and folders; what cannot be read, or is not a file, has no names. `milliseconds`: the most time,
    /// nil: no limit.
    package init(_ arguments: [String], within milliseconds: Int64? = nil) {
        let end = milliseconds.map { EventLoop.nanoseconds + UInt64(clamping: $0) * 1_000_000 } ?? .max
        guard !arguments.contains("-"), let recordings = try? RecordingSet(arguments) else { return }
        for group in recordings.groups {
            let reader = RecordingReader(keepsPrefixes: false)
            for (index, path) in group.paths.enumerated() where EventLoop.nanoseconds < end {
                if index > 0 { reader.beginNextFile() }
                // The names before a defect are as good as those of the other files.
                try? read(path, with: reader, until: end)
            }
        }
        relays = names.sorted()
    }

    private mutating func read(_ path: String, with reader: RecordingReader, until end: UInt64) throws {
        // A FIFO has bytes for one reader only, and may have none yet.
        guard InputFile.identity(of: path)?.isRegular == true else { return }
        let file = try InputFile(path: path)
        while EventLoop.nanoseconds < end {
            let bytes = try file.read(atMost: Self.chunk)
            guard !bytes.isEmpty else { break }
            reader.append(bytes)
            while let event = try reader.next() {
                // A connection whose handshake has failed has an encrypted leg only.
                guard case .opened(let conversation) = event else { continue }
                if let relay = conversation.relay { names.insert(relay) }
                let id = String(conversation.id)
                if ids.count < Self.mostIDs, seen.insert(id).inserted { ids.append(id) }
            }
        }
        try reader.finishFile()
    }
}
