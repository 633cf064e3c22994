import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct RuntimeFolderTests {
    private func mode(_ path: String) -> mode_t? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts.st_mode : nil
    }

    private func run(_ body: (_ parent: String, _ folder: RuntimeFolder) throws -> Void) async throws {
        try await TemporaryFolder.run { parent in
            try await Exclusive.run { try body(parent, try #require(RuntimeFolder(variable: parent))) }
        }
    }

    @Test(arguments: [nil, "", "run/user/0", "/nonexistent/folder", "/etc/passwd"])
    func variable_thatNamesNoFolder_meansThereIsNone(_ value: String?) {
        #expect(RuntimeFolder(variable: value) == nil)
    }

    @Test func folder_isForItsUserOnly() async throws {
        try await run { parent, folder in
            #expect(folder.path == parent + "/tapline")
            try folder.create()
            #expect(mode(folder.path) == S_IFDIR | 0o700)
            // An existing one that others can enter is closed to them.
            #expect(chmod(folder.path, 0o755) == 0)
            try folder.create()
            #expect(mode(folder.path) == S_IFDIR | 0o700)
        }
    }

    @Test func folder_thatIsALinkOrAFile_isRefused() async throws {
        try await run { parent, folder in
            #expect(symlink("/tmp", folder.path) == 0)
            #expect(throws: Errno(EPERM)) { try folder.create() }
            #expect(folder.liveSockets().isEmpty)
        }
    }

    @Test func sockets_areListed_andThoseOfEndedProcessesRemoved() async throws {
        try await run { _, folder in
            try folder.create()
            let live = try Socket(family: AF_UNIX)
            let path = folder.socket(ofProcess: 7)
            _ = try SocketFile.bind(live, path: path, mode: 0o600)
            try live.listen()
            // Above the kernel's maximum of 2^22, so no process has it.
            let stale = folder.socket(ofProcess: 5_000_000)
            do {
                let ended = try Socket(family: AF_UNIX)
                _ = try SocketFile.bind(ended, path: stale, mode: 0o600)
            }
            #expect(mode(stale) != nil)
            #expect(folder.contains(path) && !folder.contains("/elsewhere/7.sock"))
            #expect(folder.liveSockets() == [path])
            #expect(mode(stale) == nil && mode(path) != nil)
            withExtendedLifetime(live.fd) {}
        }
    }
}
