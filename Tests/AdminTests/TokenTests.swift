import Configuration
import Glibc
import Sockets
import TestSupport
import Testing

@testable import Admin

/// The source of the bearer token.
struct TokenTests {
    private static let local = AdminSettings(listen: AdminSettings.defaultListen)

    @Test func variable_isTheToken_withoutWhitespaceAroundIt() throws {
        #expect(try AdminToken.load(Self.local, environment: "good-token-1234\n")?.value == "good-token-1234")
        #expect(try AdminToken.load(Self.local, environment: "") == nil)
        #expect(try AdminToken.load(Self.local, environment: nil) == nil)
    }

    @Test(arguments: ["short", "two words-1234"]) func variableThatIsNoToken_isAnError_alsoOnLoopback(_ value: String) {
        let error = #expect(throws: SystemError.self) { try AdminToken.load(Self.local, environment: value) }
        #expect(
            error?.description
                == "cannot take the admin API's token from TAPLINE_ADMIN_TOKEN: Invalid argument (EINVAL); "
                + "`TAPLINE_ADMIN_TOKEN` in the environment is not a token; a token is 8 to 1024 printable ASCII "
                + "characters without spaces; set a valid one, or unset it")
    }

    @Test func file_countsBeforeTheVariable() async throws {
        try await TemporaryFolder.run { folder in
            try Files.write("from-the-file\n", to: "\(folder)/token")
            var settings = Self.local
            settings.tokenFile = "\(folder)/token"
            #expect(try AdminToken.load(settings, environment: "short")?.value == "from-the-file")
            for text in ["", "short", "two lines-\nof-it"] {
                try Files.replace("\(folder)/token", with: text)
                let error = #expect(throws: SystemError.self) { try AdminToken.load(settings, environment: nil) }
                #expect(error?.attempt == "take the admin API's token from \(folder)/token")
                #expect(error?.subject == .admin)
            }
        }
    }

    /// An ordinary open would block until a writer opens the FIFO.
    @Test func fileThatIsAFIFO_isRefusedAtOnce() async throws {
        try await TemporaryFolder.run { folder in
            var settings = Self.local
            settings.tokenFile = "\(folder)/fifo"
            #expect(mkfifo("\(folder)/fifo", 0o600) == 0)
            let error = #expect(throws: SystemError.self) { try AdminToken.load(settings, environment: nil) }
            #expect(error?.description.contains("(EINVAL); it is not a regular file; a token is 8 to 1024") == true)
            settings.tokenFile = folder
            let other = #expect(throws: SystemError.self) { try AdminToken.load(settings, environment: nil) }
            #expect(other?.advice?.hasPrefix("it is not a regular file") == true)
        }
    }

    @Test func fileThatEveryUserCanRead_isWarnedOf() async throws {
        try await TemporaryFolder.run { folder in
            var settings = Self.local
            #expect(AdminToken.warning(settings) == nil)
            let path = "\(folder)/token"
            settings.tokenFile = path
            try Files.write("from-the-file\n", to: path)
            for (mode, isWarnedOf) in [(0o644, true), (0o640, false), (0o600, false), (0o604, true)] {
                chmod(path, mode_t(mode))
                #expect((AdminToken.warning(settings)?.contains(path) == true) == isWarnedOf)
            }
        }
    }
}
