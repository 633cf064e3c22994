import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct SocketFileTests {
    private func run(_ body: (_ path: String) throws -> Void) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run { try body(folder + "/socket") }
        }
    }

    private func bind(_ path: String, mode: UInt16 = 0o660) throws -> (SocketFile, SocketParcel) {
        let socket = try Socket(family: AF_UNIX)
        let file = try SocketFile.bind(socket, path: path, mode: mode)
        try socket.listen()
        return (file, SocketParcel(socket))
    }

    private func facts(_ path: String) -> stat? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts : nil
    }

    @Test(arguments: [0o660, 0o600, 0o666] as [UInt16])
    func file_made_hasItsModeWhateverTheUmask(mode: UInt16) async throws {
        try await run { path in
            let (file, _) = try bind(path, mode: mode)
            #expect(facts(path)?.st_mode == S_IFSOCK | mode_t(mode))
            file.remove()
            #expect(facts(path) == nil)
        }
    }

    /// A thread polls the file's mode while it is created with umask 0: in one of the many rounds it would see a mode
    /// that is too open, however briefly.
    @Test func file_asItIsBound_isNeverMoreOpenThanItsMode() async throws {
        try await run { path in
            let before = umask(0)
            defer { umask(before) }
            let seen = Monitor((modes: Set<mode_t>(), isOver: false))
            let watcher = try Background("watcher") {
                var facts = stat()
                while !seen.withLock({ $0.isOver }) {
                    for _ in 0..<100 where lstat(path, &facts) == 0 {
                        let mode = facts.st_mode & 0o777
                        seen.withLock { _ = $0.modes.insert(mode) }
                    }
                }
            }
            var rounds = 0
            let deadline = Deadline()
            // On a loaded machine the polling thread may be late.
            while rounds < 2000 || seen.withLock({ $0.modes.isEmpty }) && !deadline.isOver {
                let (file, _) = try bind(path, mode: 0o600)
                file.remove()
                rounds += 1
            }
            seen.withLock { $0.isOver = true }
            try watcher.value()
            #expect(seen.withLock { $0.modes } == [0o600])
        }
    }

    @Test func file_ofADeadProcess_isReplaced() async throws {
        try await run { path in
            do { _ = try bind(path) }
            #expect(facts(path) != nil, "closing leaves the file")
            let (file, parcel) = try bind(path)
            _ = try Peer.connect(to: .unix(path: path))
            file.remove()
            #expect(facts(path) == nil)
            _ = parcel
        }
    }

    @Test func file_thatAnswers_isNotReplaced() async throws {
        try await run { path in
            let (_, parcel) = try bind(path)
            #expect(throws: Errno(EADDRINUSE)) { _ = try bind(path) }
            _ = try Peer.connect(to: .unix(path: path))
            _ = parcel
        }
    }

    /// With a full queue no connection is accepted now, but a process listens.
    @Test func file_thatAnswersWithAFullQueue_isNotReplaced() async throws {
        try await run { path in
            let listener = try PeerListener(.unix(path: path), backlog: 0)
            _ = try Peer.connect(to: listener.address)
            #expect(throws: Errno(EADDRINUSE)) { _ = try bind(path) }
        }
    }

    @Test func file_thatIsNoSocket_isNotReplaced() async throws {
        try await run { path in
            close(open(path, O_CREAT | O_WRONLY, 0o600))
            #expect(throws: Errno(EEXIST)) { _ = try bind(path) }
            #expect(facts(path).map { $0.st_mode & S_IFMT } == S_IFREG)
        }
    }

    @Test func file_thatIsALink_isNotFollowed() async throws {
        try await run { path in
            symlink("/nonexistent/elsewhere", path)
            #expect(throws: Errno(EEXIST)) { _ = try bind(path) }
            #expect(facts(path).map { $0.st_mode & S_IFMT } == S_IFLNK)
        }
    }

    @Test func file_replacedByAnotherProcess_isNotRemoved() async throws {
        try await run { path in
            let (ours, parcel) = try bind(path)
            // Created under another name first, because the file system may reuse the inode number at once.
            let (_, theirs) = try bind(path + "2")
            rename(path + "2", path)
            ours.remove()
            #expect(facts(path) != nil)
            _ = (parcel, theirs)
        }
    }

    @Test func file_inAFolderThatIsMissing_isAnError() async throws {
        try await run { path in
            #expect(throws: Errno(ENOENT)) { _ = try bind(path + "/missing/socket") }
        }
    }

    @Test func fileOfAReleasedPath_replacesNoOtherFile() async throws {
        try await run { path in
            let (old, parcel) = try bind(path)
            // A foreign file with the first name that would be used.
            close(open(path + ".replaced", O_CREAT | O_WRONLY, 0o640))
            let theirs = try #require(facts(path + ".replaced"))
            let socket = try Socket(family: AF_UNIX)
            let (file, replaced) = try SocketFile.bind(
                socket, path: path, mode: 0o660, released: [HeldAddress(.unix(path: path), file: old)])
            #expect(facts(path + ".replaced")?.st_ino == theirs.st_ino)
            #expect(facts(path + ".replaced1").map { $0.st_mode & S_IFMT } == S_IFSOCK)
            // Another process's file at the path is kept too.
            file?.remove()
            close(open(path, O_CREAT | O_WRONLY, 0o640))
            replaced?.restore()
            #expect(facts(path).map { $0.st_mode & S_IFMT } == S_IFREG)
            #expect(facts(path + ".replaced1") == nil)
            #expect(facts(path + ".replaced")?.st_ino == theirs.st_ino)
            unlink(path + ".replaced")
            unlink(path)
            _ = parcel
        }
    }

    @Test(arguments: [true, false]) func fileOfAReleasedPath_isSetAside_andRemovedOrRestored(isWanted: Bool)
        async throws
    {
        try await run { path in
            let (old, parcel) = try bind(path, mode: 0o600)
            let held = [HeldAddress(.unix(path: path), file: old)]
            // Without `released` the address is in use.
            #expect(throws: Errno(EADDRINUSE)) { _ = try bind(path) }
            let socket = try Socket(family: AF_UNIX)
            let (file, replaced) = try SocketFile.bind(socket, path: path, mode: 0o660, released: held)
            #expect(facts(path)?.st_mode == S_IFSOCK | 0o660)
            if isWanted {
                replaced?.remove()
                old.remove()
                #expect(facts(path)?.st_mode == S_IFSOCK | 0o660)
                file?.remove()
            } else {
                file?.remove()
                replaced?.restore()
                #expect(facts(path)?.st_mode == S_IFSOCK | 0o600)
                old.remove()
            }
            #expect(facts(path) == nil && facts(path + ".replaced") == nil)
            _ = parcel
        }
    }
}
