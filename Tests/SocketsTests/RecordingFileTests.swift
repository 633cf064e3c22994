import Glibc
import Sockets
import TestSupport
import Testing

/// Preallocation and the visible size of a growing file.
@Suite struct RecordingFileTests {
    private static let mebibyte = 1 << 20

    @Test func file_thatGrowsFast_hasTheSizeOfTheWrittenBytes() async throws {
        try await TemporaryFolder.run { folder in
            do {
                let file = try Directory(path: folder).create("a")
                for written in 1...5 {
                    #expect(file.append(Self.bytes(Self.mebibyte), from: 0).taken == Self.mebibyte)
                    #expect(try Self.facts(folder + "/a").st_size == written * Self.mebibyte, "no tail of zeros")
                }
                if Self.preallocates(folder) {
                    #expect(try Self.onDisk(folder + "/a") > 16 * Self.mebibyte, "there is room ahead")
                }
            }
            #expect(try Self.facts(folder + "/a").st_size == 5 * Self.mebibyte)
            #expect(try Self.onDisk(folder + "/a") < 6 * Self.mebibyte, "what was ahead is given back")
        }
    }

    @Test func file_thatIsSmall_takesNothingAhead() async throws {
        try await TemporaryFolder.run { folder in
            let file = try Directory(path: folder).create("a")
            for _ in 1...2 { _ = file.append(Self.bytes(Self.mebibyte), from: 0) }
            #expect(try Self.onDisk(folder + "/a") < 3 * Self.mebibyte)
        }
    }

    @Test func file_cutBack_continuesFromThere_andHasNothingAhead() async throws {
        try await TemporaryFolder.run { folder in
            let file = try Directory(path: folder).create("a")
            for _ in 1...4 { _ = file.append(Self.bytes(Self.mebibyte), from: 0) }
            try file.cut(to: Self.mebibyte + 1)
            #expect(try Self.onDisk(folder + "/a") < 2 * Self.mebibyte)
            _ = file.append(Self.bytes(Self.mebibyte), from: 0)
            #expect(try Self.facts(folder + "/a").st_size == 2 * Self.mebibyte + 1)
        }
    }

    // MARK: Support

    private static func bytes(_ count: Int) -> OutputBuffer {
        let buffer = OutputBuffer(capacity: count)
        for number in 0..<count / 8 { buffer.append(littleEndian: UInt64(number)) }
        return buffer
    }

    private static func facts(_ path: String) throws -> stat {
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw TestFailure("no \(path): errno \(errno)") }
        return facts
    }

    private static func onDisk(_ path: String) throws -> Int { try Int(facts(path).st_blocks) * 512 }

    /// Whether the folder is on ext4 or XFS: the type of the mount with the longest matching path.
    private static func preallocates(_ folder: String) -> Bool {
        let mounts = (Files.read("/proc/self/mounts") ?? "").split(separator: "\n").map { $0.split(separator: " ") }
        let above = mounts.filter { $0[1] == "/" || (folder + "/").hasPrefix($0[1] + "/") }
        return above.max { $0[1].count < $1[1].count }.map { ["ext4", "xfs"].contains($0[2]) } ?? false
    }
}
