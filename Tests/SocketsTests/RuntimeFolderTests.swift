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
            #expect(throws: RuntimeFolder.Refusal.notAFolder(folder.path)) { try folder.create() }
            #expect(folder.liveSockets().isEmpty)
        }
    }

    // MARK: Without the variable

    private func find(in parent: String, variable: String? = nil) -> RuntimeFolder {
        .find(variable: variable, users: parent + "/users", temporary: parent)
    }

    @Test(arguments: [nil, "", "/nonexistent/folder"])
    func folderOfTheUser_takesThePlaceOfTheVariable(_ variable: String?) async throws {
        try await run { parent, _ in
            let own = "\(parent)/users/\(geteuid())"
            #expect(find(in: parent, variable: variable).path == "\(parent)/tapline-\(geteuid())")
            #expect(mkdir(parent + "/users", 0o755) == 0 && mkdir(own, 0o700) == 0)
            #expect(find(in: parent, variable: variable).path == own + "/tapline")
            // Others may enter it: it was not created for one user.
            #expect(chmod(own, 0o755) == 0)
            #expect(find(in: parent, variable: variable).path == "\(parent)/tapline-\(geteuid())")
            #expect(find(in: parent, variable: parent).path == parent + "/tapline")
        }
    }

    @Test func temporaryFolder_isCreatedForItsUserOnly_andFoundAgain() async throws {
        try await run { parent, _ in
            let folder = find(in: parent)
            try folder.create()
            #expect(mode(folder.path) == S_IFDIR | 0o700)
            try folder.create()
            let live = try Socket(family: AF_UNIX)
            _ = try SocketFile.bind(live, path: folder.socket(ofProcess: 7), mode: 0o600)
            try live.listen()
            #expect(find(in: parent).liveSockets() == [folder.socket(ofProcess: 7)])
        }
    }

    /// Every user can create a file in /tmp, so a folder that is not as Tapline creates it is neither used nor changed.
    @Test func temporaryFolder_thatIsNotAsCreated_isRefused() async throws {
        try await run { parent, _ in
            let folder = find(in: parent)
            #expect(mkdir(folder.path, 0o700) == 0 && chmod(folder.path, 0o750) == 0)
            let open = #expect(throws: RuntimeFolder.Refusal.self) { try folder.create() }
            #expect(open?.description == "\(folder.path) has the permissions 0750 instead of 0700")
            #expect(mode(folder.path) == S_IFDIR | 0o750)
            #expect(folder.liveSockets().isEmpty)

            #expect(rmdir(folder.path) == 0 && symlink(parent, folder.path) == 0)
            let link = #expect(throws: RuntimeFolder.Refusal.self) { try folder.create() }
            #expect(link?.description == "\(folder.path) is a symbolic link or not a directory")
            #expect(unlink(folder.path) == 0)
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func temporaryFolder_ofAnotherUser_isRefused() async throws {
        try await run { parent, _ in
            let folder = find(in: parent)
            #expect(mkdir(folder.path, 0o700) == 0 && chown(folder.path, 65_534, 65_534) == 0)
            let foreign = #expect(throws: RuntimeFolder.Refusal.self) { try folder.create() }
            #expect(foreign?.description == "\(folder.path) belongs to another user")
        }
    }

    @Test func temporaryFolder_withoutAPlaceForIt_isRefused() async throws {
        try await run { parent, _ in
            let folder = find(in: parent + "/none")
            let missing = #expect(throws: RuntimeFolder.Refusal.self) { try folder.create() }
            #expect(missing?.description.hasPrefix("\(folder.path): No such file or directory") == true)
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
