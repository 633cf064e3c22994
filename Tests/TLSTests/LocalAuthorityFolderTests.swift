import Glibc
import Sockets
import TestSupport
import Testing

@testable import TLS

/// The files of the local authority: how they are created, and when they are refused.
@Suite struct LocalAuthorityFolderTests {
    /// A folder in an empty state folder.
    private struct Bench {
        let state: String
        let folder: LocalAuthorityFolder

        init(_ state: String) throws {
            self.state = state
            folder = try LocalAuthorityFolder(["XDG_STATE_HOME": state])
        }

        func load() throws(LocalAuthorityError) -> LocalAuthority? { try folder.load(at: WallTime.now) }

        @discardableResult
        func create() throws(LocalAuthorityError) -> (authority: LocalAuthority, isNew: Bool) {
            try folder.loadOrCreate(owner: "user@host", at: WallTime.now)
        }

        /// The error of an attempt to use the authority, which must leave both files as they are.
        func refusal() throws -> LocalAuthorityError? {
            let before = [content(folder.certificatePath), content(folder.keyPath)]
            defer { #expect([content(folder.certificatePath), content(folder.keyPath)] == before) }
            let loading = Result { () throws(LocalAuthorityError) in try load() }
            do throws(LocalAuthorityError) {
                try create()
                return nil
            } catch {
                if case .failure(let other) = loading { #expect(other == error) }
                return error
            }
        }

        func content(_ path: String) -> [UInt8]? {
            guard let file = fopen(path, "r") else { return nil }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            return Array(bytes.prefix(fread(&bytes, 1, bytes.count, file)))
        }

        func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws {
            guard let file = fopen(path, "w") else { throw TestFailure("\(path) cannot be written") }
            defer { fclose(file) }
            guard fwrite(bytes, 1, bytes.count, file) == bytes.count, chmod(path, mode) == 0 else {
                throw TestFailure(path)
            }
        }

        func mode(_ path: String) -> mode_t {
            var facts = stat()
            return lstat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
        }

        func names(in path: String) -> [String] {
            guard let stream = opendir(path) else { return [] }
            defer { closedir(stream) }
            var names: [String] = []
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { names.append(name) }
            }
            return names.sorted()
        }
    }

    private func run(_ body: (Bench) async throws -> Void) async throws {
        try await TemporaryFolder.run { try await body(Bench($0)) }
    }

    @Test(
        arguments: [
            (["XDG_STATE_HOME": "/x", "HOME": "/h"], "/x/tapline/ca"), (["XDG_STATE_HOME": "/x/"], "/x/tapline/ca"),
            (["HOME": "/h"], "/h/.local/state/tapline/ca"),
            (["XDG_STATE_HOME": "x", "HOME": "/h"], "/h/.local/state/tapline/ca"),
            (["XDG_STATE_HOME": "", "HOME": "h"], nil), ([:], nil),
        ] as [([String: String], String?)])
    func path_isInTheUsersStateFolder(_ variables: [String: String], _ path: String?) throws {
        let found = Result { () throws(LocalAuthorityError) in try LocalAuthorityFolder(variables) }
        if let path {
            #expect(try found.get().path == path)
        } else {
            #expect(throws: LocalAuthorityError.noPlace) { try found.get() }
            #expect("\(LocalAuthorityError.noPlace)".contains("neither XDG_STATE_HOME nor HOME is an absolute path"))
        }
    }

    @Test func owner_isTheUserAtTheHost() {
        #expect(LocalAuthorityFolder.owner(["USER": "anna", "LOGNAME": "b"]).hasPrefix("anna"))
        #expect(LocalAuthorityFolder.owner(["LOGNAME": "bert"]).hasPrefix("bert"))
        #expect(LocalAuthorityFolder.owner([:]).hasPrefix("uid \(geteuid())"))
    }

    @Test func authority_isCreatedOnce_forThisUserOnly() async throws {
        try await run { bench in
            #expect(try bench.load() == nil)
            #expect(bench.names(in: bench.state) == [])
            let first = try bench.create()
            #expect(first.isNew)
            #expect(bench.mode(bench.folder.keyPath) == 0o600)
            #expect(bench.mode(bench.folder.certificatePath) == 0o644)
            #expect(bench.mode(bench.folder.path) == 0o700)
            #expect(bench.mode(bench.state + "/tapline") == 0o700)
            #expect(bench.names(in: bench.state + "/tapline") == ["ca"])
            let second = try bench.create()
            #expect(!second.isNew)
            #expect(second.authority.fingerprint == first.authority.fingerprint)
            #expect(first.authority.fingerprint.utf8.count == 95)
            #expect(try bench.load()?.fingerprint == first.authority.fingerprint)
        }
    }

    @Test func emptyFolder_isFilled() async throws {
        try await run { bench in
            mkdir(bench.state + "/tapline", 0o755)
            mkdir(bench.folder.path, 0o755)
            let made = try bench.create()
            #expect(made.isNew)
            #expect(bench.mode(bench.folder.path) == 0o700)
        }
    }

    @Test func severalAtOnce_endWithOneAuthority() async throws {
        try await run { bench in
            let made = try await withThrowingTaskGroup(of: (String, Bool).self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        let (authority, isNew) = try bench.create()
                        return (authority.fingerprint, isNew)
                    }
                }
                return try await group.reduce(into: [(String, Bool)]()) { $0.append($1) }
            }
            #expect(Set(made.map(\.0)).count == 1)
            #expect(made.filter(\.1).count == 1)
            #expect(bench.names(in: bench.state + "/tapline") == ["ca"])
        }
    }

    // MARK: Refusals

    @Test func keyThatOthersCanRead_isRefused() async throws {
        try await run { bench in
            try bench.create()
            chmod(bench.folder.keyPath, 0o640)
            let error = try #require(try bench.refusal())
            #expect(error == .exposed(bench.folder.keyPath, mode: 0o640, folder: bench.folder.path))
            #expect("\(error)".contains("can be read by other users (mode 0640)"))
            #expect(
                "\(error)".contains("run: chmod 600 \(bench.folder.keyPath); otherwise remove `\(bench.folder.path)`"))
            chmod(bench.folder.keyPath, 0o600)
            #expect(try bench.refusal() == nil)
        }
    }

    @Test func filesThatOthersCanChange_areRefused() async throws {
        try await run { bench in
            try bench.create()
            for path in [bench.folder.path, bench.folder.certificatePath] {
                let mode = bench.mode(path)
                chmod(path, mode | 0o020)
                let error = try #require(try bench.refusal())
                #expect(error == .writable(path, mode: mode | 0o020))
                #expect("\(error)".hasSuffix("run: chmod go-w \(path)"))
                chmod(path, mode)
            }
        }
    }

    @Test func symbolicLinks_areNotFollowed() async throws {
        try await run { bench in
            try bench.create()
            for path in [bench.folder.keyPath, bench.folder.certificatePath] {
                rename(path, path + ".real")
                symlink(path + ".real", path)
                #expect(try bench.refusal() == .notAFile(path))
                rename(path + ".real", path)
            }
            rename(bench.folder.path, bench.folder.path + ".real")
            symlink(bench.folder.path + ".real", bench.folder.path)
            let error = try #require(try bench.refusal())
            #expect(error == .notAFolder(bench.folder.path))
            #expect("\(error)".contains("is a symbolic link or not a folder"))
        }
    }

    @Test func specialFile_doesNotBlock() async throws {
        try await run { bench in
            try bench.create()
            unlink(bench.folder.keyPath)
            mkfifo(bench.folder.keyPath, 0o600)
            let loading = Result { () throws(LocalAuthorityError) in try bench.load() }
            #expect(throws: LocalAuthorityError.notAFile(bench.folder.keyPath)) { try loading.get() }
        }
    }

    @Test func missingFile_isNamed() async throws {
        for isKey in [true, false] {
            try await run { bench in
                try bench.create()
                let path = isKey ? bench.folder.keyPath : bench.folder.certificatePath
                unlink(path)
                let error = try #require(try bench.refusal())
                #expect(error == .incomplete(missing: path, folder: bench.folder.path))
                #expect("\(error)".hasPrefix("`\(path)` is missing; restore it, or remove `\(bench.folder.path)`"))
            }
        }
    }

    @Test func otherFiles_areKept() async throws {
        try await run { bench in
            mkdir(bench.state + "/tapline", 0o700)
            mkdir(bench.folder.path, 0o700)
            try bench.write(bench.folder.path + "/notes", [1])
            #expect(try bench.refusal() == .occupied(bench.folder.path))
            #expect(bench.names(in: bench.folder.path) == ["notes"])
            #expect(bench.names(in: bench.state + "/tapline") == ["ca"])
        }
    }

    @Test func filesThatAreNoAuthority_areRefused() async throws {
        let now = WallTime.now
        let old = try LocalAuthority.make(owner: "user@host", at: now - 4000 * 86_400)
        let future = try LocalAuthority.make(owner: "user@host", at: now + 10 * 86_400)
        let other = try LocalAuthority.make(owner: "other@host", at: now)
        let test = try TestAuthority()
        let leaf = try test.issue()
        for (certificate, key, isOfKey, words) in [
            (old.certificate, old.key, false, "has a certificate that expired at "),
            (future.certificate, future.key, false, "has a certificate that is not valid before "),
            (other.certificate, old.key, true, "does not match the certificate"),
            (Array("text".utf8), other.key, false, "has no certificate in PEM form"),
            (other.certificate, Array("text".utf8), true, "has no private key in PEM form"),
            (leaf.certificate, leaf.key, false, "has a certificate that may not issue others"),
        ] {
            try await run { bench in
                try bench.create()
                try bench.write(bench.folder.certificatePath, certificate, mode: 0o644)
                try bench.write(bench.folder.keyPath, key)
                let text = "\(try #require(try bench.refusal()))"
                let path = isOfKey ? bench.folder.keyPath : bench.folder.certificatePath
                #expect(text.hasPrefix("`\(path)` \(words)"))
                #expect(
                    text.hasSuffix(
                        "; remove `\(bench.folder.path)`, and the next start creates another CA, which you must trust again"
                    ))
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs to give files away"))
    func filesOfAnotherUser_areRefused() async throws {
        try await run { bench in
            try bench.create()
            for path in [bench.folder.keyPath, bench.folder.certificatePath, bench.folder.path] {
                chown(path, 12_345, 0)
                let error = try #require(try bench.refusal())
                #expect(error == .foreign(path, user: 12_345, folder: bench.folder.path))
                #expect("\(error)".contains("belongs to the user with the id 12345"))
                chown(path, 0, 0)
            }
        }
    }

    @Test func stateFolderThatCannotBeCreated_isNamed() async throws {
        try await run { bench in
            try bench.write(bench.state + "/tapline", [1])
            #expect(try bench.refusal() == .notAFolder(bench.folder.path))
            let folder = try LocalAuthorityFolder(["XDG_STATE_HOME": "/proc/none"])
            let error = try #require(throws: LocalAuthorityError.self) {
                try folder.loadOrCreate(owner: "user@host", at: WallTime.now)
            }
            #expect(error.isOfSystem)
            #expect("\(error)".hasPrefix("`/proc/none` cannot be created: "), "\(error)")
        }
    }

    /// An authority of another program, e.g. with an RSA key, issues certificates, too.
    @Test func otherAuthority_isUsed() async throws {
        try await run { bench in
            try bench.create()
            var request = TestAuthority.Request(commonName: "RSA CA", names: [])
            request.key = .rsa(2048)
            request.isAuthority = true
            let issued = try TestAuthority().issue(request)
            try bench.write(bench.folder.certificatePath, issued.certificate, mode: 0o644)
            try bench.write(bench.folder.keyPath, issued.key)
            #expect(try bench.create().authority.certificate.commonName == "RSA CA")
        }
    }
}
