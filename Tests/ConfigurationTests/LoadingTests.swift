import Glibc
import Testing

@testable import Configuration

@Suite final class LoadingTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/tapline-configuration-XXXXXX".utf8CString)
        _ = try #require(mkdtemp(&template))
        folder = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
    }

    deinit {
        for name in ["t.yaml", "link.yaml", "pipe", "real/t.yaml"] { unlink("\(folder)/\(name)") }
        rmdir("\(folder)/real")
        rmdir(folder)
    }

    private func write(_ text: String, to name: String) throws -> String {
        let path = "\(folder)/\(name)"
        let file = try #require(fopen(path, "we"))
        fputs(text, file)
        fclose(file)
        return path
    }

    private func failure(_ path: String) -> String? {
        do {
            _ = try Configuration.load(path: path, environment: [:])
            return nil
        } catch {
            return error.description
        }
    }

    @Test func file_isRead_andItsFolderIsWhereRelativePathsBegin() throws {
        let path = try write("log: { access: access.log }\n" + relay(), to: "t.yaml")
        let configuration = try Configuration.load(path: path, environment: [:])
        #expect(configuration.log.access == .file("\(folder)/access.log"))
    }

    @Test func folder_isTheLinks_whenTheFileIsALink() throws {
        mkdir("\(folder)/real", 0o700)
        let target = try write("log: { access: access.log }\n" + relay(), to: "real/t.yaml")
        #expect(symlink(target, "\(folder)/link.yaml") == 0)
        let configuration = try Configuration.load(path: "\(folder)/link.yaml", environment: [:])
        #expect(configuration.log.access == .file("\(folder)/access.log"))
    }

    @Test func folder_isAbsolute_whenThePathIsRelative() throws {
        let path = try write("log: { access: access.log }\n" + relay(), to: "t.yaml")
        // More parent steps than any working directory has levels.
        let relative = String(repeating: "../", count: 60) + path.dropFirst()
        guard case .file(let log) = try Configuration.load(path: relative, environment: [:]).log.access else {
            Issue.record("not a file")
            return
        }
        #expect(log.hasPrefix("/"))
        #expect(log.hasSuffix("/..\(folder)/access.log"))
    }

    @Test func file_isAnError_whenItIsMissing() {
        #expect(failure("\(folder)/none.yaml") == "\(folder)/none.yaml: cannot be read: No such file or directory")
    }

    @Test func file_isAnError_whenItIsAFolder() {
        #expect(failure(folder) == "\(folder): cannot be read: Is a directory")
    }

    @Test func file_isAnError_whenItsPathIsEmpty() {
        #expect(failure("") == ": cannot be read: No such file or directory")
    }

    @Test(.disabled(if: geteuid() == 0, "root may read everything"))
    func file_isAnError_whenItMayNotBeRead() throws {
        let path = try write(relay(), to: "t.yaml")
        chmod(path, 0)
        #expect(failure(path) == "\(path): cannot be read: Permission denied")
    }

    @Test func file_isAnError_whenItIsTooLarge() throws {
        let path = try write(String(repeating: "# comment\n", count: 200_000), to: "t.yaml")
        #expect(failure(path) == "\(path): larger than 1MiB, the limit for a configuration")
    }

    @Test func file_isAnError_whenItNeverEnds() {
        #expect(failure("/dev/zero") == "/dev/zero: larger than 1MiB, the limit for a configuration")
    }

    @Test func mistakes_areNamedWithThePathAsItWasGiven() throws {
        let path = try write("workers: 0\n" + relay(listen: "80", upstream: "a:0"), to: "t.yaml")
        #expect(
            failure(path) == """
                \(path):1:10: `workers`: `0` is neither `auto` nor a whole number from 1 to 256
                \(path):5:15: `upstream`: `a:0`: cannot connect to port 0; an upstream's port is from 1 to 65535
                """)
    }
}
