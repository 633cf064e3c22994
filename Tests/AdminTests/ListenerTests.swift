import Configuration
import Foundation
import Sockets
import TestSupport
import Testing

@testable import Admin

/// The admin API's sockets before they are served.
@Suite struct ListenerTests {
    private func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    /// The socket is bound, and then there is no descriptor for its copy.
    @Test func listenerThatFailsAfterItsBind_leavesNoSocketFile() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let path = folder + "/admin.sock"
                var wasThere = false
                let error = #expect(throws: SystemError.self) {
                    _ = try AdminListener.bindUnix(
                        path, [], [],
                        duplicate: { _ throws(Errno) in
                            wasThere = access(path, F_OK) == 0
                            throw Errno(EMFILE)
                        })
                }
                #expect(error?.errno.code == EMFILE)
                #expect(wasThere)
                let left = try names(in: folder)
                #expect(left == [])
            }
        }
    }

    @Test func discardedListener_leavesThePathToTheOneBefore() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let path = folder + "/admin.sock"
                let listen = ListenAddress.unix(path: path, mode: AdminSettings.unixMode)
                let first = try AdminListener.bind(listen)
                let second = try AdminListener.bind(listen, released: first.held)
                second.discard()
                #expect(try names(in: folder) == ["admin.sock"])
                let client = try Peer.connect(to: .unix(path: path))
                client.close()
                first.discard()
                #expect(try names(in: folder) == [])
            }
        }
    }
}
