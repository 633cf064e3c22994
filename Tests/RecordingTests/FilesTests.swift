import Glibc
import Recording
import Sockets
import TestSupport
import Testing

struct RecordingFileNameTests {
    @Test func aName_holdsTheRelayAndTheTime() {
        let name = RecordingFileName(relay: "web", nanoseconds: 1_795_378_500_123_999_999)
        #expect(name.description == "web.20261122T201500.123Z.pcapng")
        #expect(name.next.description == "web.20261122T201500.124Z.pcapng")
        #expect(RecordingFileName.isRecording(name.description, of: "web"))
    }

    @Test(arguments: [
        "web-2.20261122T201500.123Z.pcapng", "web.20261122T201500.123Z.pcap", "web.20261122T201500.123Z.pcapng.gz",
        "web.2026112xT201500.123Z.pcapng", "web.pcapng", "web.1.20261122T201500.123Z.pcapng", ".pcapng", "",
        "xweb.20261122T201500.123Z.pcapng",
    ])
    func otherNames_areOfOthers(name: String) {
        #expect(!RecordingFileName.isRecording(name, of: "web"))
    }

    @Test func relaysWhoseNamesShareAPrefix_areDistinguished() {
        let name = RecordingFileName(relay: "web.20261122T201500.123Z", nanoseconds: 0).description
        #expect(RecordingFileName.isRecording(name, of: "web.20261122T201500.123Z"))
        #expect(!RecordingFileName.isRecording(name, of: "web"))
    }
}

struct RecordingFilesTests {
    @Test func files_areTheirOwnersOnly_andNeverOverwriteOrFollow() async throws {
        try await TemporaryFolder.run { path in
            let previous = umask(0)
            defer { umask(previous) }
            let folder = path + "/made"
            let directory = try Directory(path: folder)
            var files = RecordingFiles(directory: directory, relay: "web", keep: 0)
            let first = try files.begin(at: 0)
            #expect(first.path == folder + "/web.19700101T000000.000Z.pcapng")
            #expect(mode(first.path) == 0o600)
            #expect(mode(folder) == 0o700)
            // The name exists, and the next one is a link to another path.
            #expect(symlink(path + "/target", folder + "/web.19700101T000000.001Z.pcapng") == 0)
            let second = try files.begin(at: 0)
            #expect(second.path == folder + "/web.19700101T000000.002Z.pcapng")
            #expect(access(path + "/target", F_OK) != 0)
        }
    }

    @Test func onlyTheOldestOfThisRelay_areRemoved() async throws {
        try await TemporaryFolder.run { path in
            let directory = try Directory(path: path)
            let foreign = ["web-2.19700101T000000.001Z.pcapng", "web.txt", "notes"]
            for name in foreign { _ = try directory.create(name) }
            #expect(mkdir(path + "/web.19700101T000000.000Z.pcapng", 0o700) == 0)
            var files = RecordingFiles(directory: directory, relay: "web", keep: 2)
            for second in 1...5 {
                _ = try files.begin(at: Int64(second) * 1_000_000_000)
                if second < 5 { #expect(files.ended().isEmpty) }
            }
            #expect(
                directory.files().sorted()
                    == (foreign + (3...5).map { "web.19700101T00000\($0).000Z.pcapng" }).sorted())
            #expect(files.ended().isEmpty)
            #expect(directory.files().count == foreign.count + 2)
            #expect(access(path + "/web.19700101T000000.000Z.pcapng", F_OK) == 0, "a folder is no recording")
        }
    }

    /// During an upgrade two processes record the same relay. A file that either writes is neither counted nor removed.
    @Test func filesBeingWritten_areKept_byBothProcesses() async throws {
        try await TemporaryFolder.run { path in
            let directory = try Directory(path: path)
            var old = RecordingFiles(directory: directory, relay: "web", keep: 1)
            var new = RecordingFiles(directory: try Directory(path: path), relay: "web", keep: 1)
            let name = { (second: Int) in "web.19700101T00000\(second).000Z.pcapng" }
            let second = { (number: Int) in Int64(number) * 1_000_000_000 }
            var ofOld: RecordingFile? = try old.begin(at: second(1))
            for number in 2...4 {
                let file = try new.begin(at: second(number))
                // The recorder keeps the file open until it begins the next one.
                #expect(new.ended().isEmpty)
                withExtendedLifetime(file) {}
            }
            #expect(directory.files().sorted() == [name(1), name(4)])

            // Conversely, the old process rotates while the new one has had its file open for a while.
            let ofNew = try new.begin(at: second(5))
            #expect(old.ended().isEmpty)
            ofOld = try old.begin(at: second(6))
            #expect(old.ended().isEmpty)
            #expect(directory.files().sorted() == [name(5), name(6)])
            #expect(directory.isBeingWritten(name(5)) && directory.isBeingWritten(name(6)))
            ofOld = nil
            #expect(ofOld == nil && !directory.isBeingWritten(name(6)) && !directory.isBeingWritten("none"))
            withExtendedLifetime(ofNew) {}
        }
    }

    /// Several files within a millisecond, of which the first are removed before the clock reaches their names.
    @Test func names_sortInTheOrderOfCreation() async throws {
        try await TemporaryFolder.run { path in
            let directory = try Directory(path: path)
            var files = RecordingFiles(directory: directory, relay: "web", keep: 1)
            var names: [String] = []
            for time in [5, 5, 5, 5, 6, 6, 9, 20] as [Int64] {
                names.append(try files.begin(at: time * 1_000_000).path)
                #expect(files.ended().isEmpty)
                #expect(directory.files().map { "\(path)/\($0)" } == [names.last], "only the newest stays")
            }
            #expect(names == names.sorted() && Set(names).count == names.count)
            #expect(names.last == path + "/web.19700101T000000.020Z.pcapng")
            // If the clock is set back, the names follow it.
            #expect(try files.begin(at: -3_600_000_000_000).path.contains("web.19691231T230000.000Z"))
        }
    }

    @Test func aFolderWhosePathLeadsElsewhere_staysTheSame() async throws {
        try await TemporaryFolder.run { path in
            let directory = try Directory(path: path + "/a")
            #expect(rename(path + "/a", path + "/b") == 0)
            _ = try directory.create("web")
            #expect(access(path + "/b/web", F_OK) == 0)
        }
    }

    @Test func troubles_areNamed() async throws {
        try await TemporaryFolder.run { path in
            #expect(throws: SystemError.self) { try Directory(path: path + "/no/such") }
            _ = try Directory(path: path).create("file")
            let error = #expect(throws: SystemError.self) { try Directory(path: path + "/file") }
            #expect(
                error?.description == "cannot open the directory \(path)/file: Not a directory (ENOTDIR)")
        }
    }

    @Test func aFile_isTruncated_andContinuesThere() async throws {
        try await TemporaryFolder.run { path in
            let file = try Directory(path: path).create("file")
            let bytes = OutputBuffer()
            bytes.append([1, 2, 3, 4, 5, 6])
            #expect(file.append(bytes, from: 0).taken == 6)
            try file.cut(to: 4)
            #expect(file.append(bytes, from: 5) == (1, nil))
            #expect(try Files.bytes(of: path + "/file") == [1, 2, 3, 4, 6])
        }
    }

    private func mode(_ path: String) -> mode_t {
        var facts = stat()
        #expect(lstat(path, &facts) == 0)
        return facts.st_mode & 0o777
    }
}
