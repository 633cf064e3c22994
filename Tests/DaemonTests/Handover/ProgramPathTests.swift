import Foundation
import TestSupport
import Testing

@testable import Daemon

struct ProgramPathTests {
    private var own: String { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "" }

    /// An upgrade moves a link, so it stays in the path.
    @Test func link_staysUnresolved_alsoWhereItIsFoundInThePath() async throws {
        try await TemporaryFolder.run { folder in
            try Files.link("\(folder)/tapline", to: own)
            #expect(ProgramPath.find("\(folder)/tapline", path: "")?.path == "\(folder)/tapline")
            #expect(ProgramPath.find("tapline", path: "/nowhere:\(folder)")?.path == "\(folder)/tapline")
        }
    }

    /// The first word of a command line may be anything.
    @Test func otherProgramOfThatName_isNotIt() async throws {
        #expect(ProgramPath.find("sh", path: "/bin:/usr/bin")?.path == own)
        #expect(ProgramPath.find("/bin/sh", path: "")?.path == own)
        #expect(ProgramPath.find("", path: "")?.path == own)
    }
}
