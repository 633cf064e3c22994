import Glibc
import TestSupport
import Testing

@testable import Daemon

struct FileSignatureTests {
    /// The owner of a file may set any time; ext4 stores those up to 2446, tmpfs all of them.
    @Test(arguments: [Int.min, -9_223_372_037, -1, 0, 9_223_372_037, 15_032_385_535, 1 << 40, .max])
    func fileOfAnyTime_isLookedAt(seconds: Int) async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/tapline.yaml"
            let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            try #require(file >= 0)
            defer { close(file) }
            let times = [timespec(tv_sec: seconds, tv_nsec: 999_999_999), timespec(tv_sec: seconds, tv_nsec: 0)]
            // A file system that refuses a time cannot have it.
            _ = futimens(file, times)
            let signature = try #require(FileSignature(of: path))
            #expect(signature == FileSignature(of: path))
        }
    }
}
