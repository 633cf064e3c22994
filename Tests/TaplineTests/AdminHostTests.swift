import Admin
import Configuration
import Sockets
import Testing

@testable import tapline

/// What the admin server's host refuses to open.
struct AdminHostTests {
    @Test(arguments: ["*:9180", "0.0.0.0:9180", "192.0.2.1:9180", "[::]:9180", "[2001:db8::1]:9180"])
    func addressOffLoopback_withoutAToken_isRefused(_ address: String) throws {
        let settings = AdminSettings(listen: try ListenAddress(parsing: address, directory: "/"))
        let error = #expect(throws: SystemError.self) { try AdminHost.refuseOpenDoor(settings, nil) }
        #expect(error?.description.contains("there is no token; give it admin.token_file") == true)
        let token = try AdminToken.load(settings, environment: "good-token-1234")
        #expect(throws: Never.self) { try AdminHost.refuseOpenDoor(settings, token) }
    }

    @Test(arguments: ["9180", "127.0.0.1:9180", "[::1]:9180", "unix:/run/tapline.sock"])
    func addressOnThisMachine_needsNone(_ address: String) throws {
        let settings = AdminSettings(listen: try ListenAddress(parsing: address, directory: "/"))
        #expect(throws: Never.self) { try AdminHost.refuseOpenDoor(settings, nil) }
    }
}
