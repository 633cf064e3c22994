import Glibc
import Sockets
import Testing

@testable import Daemon

/// What an upgrade hands over, as its message has it.
struct UpgradeSocketsTests {
    /// A socket for each of two workers at every address.
    private func sockets(_ addresses: Int) throws -> [HandedSocket] {
        var all: [HandedSocket] = []
        for _ in 0..<addresses {
            let socket = try Socket(family: AF_INET)
            try socket.bind(to: .ipv4(.loopback, port: 0), sharing: true)
            let copy = HandedSocket(try socket.duplicate(), label: "web", origin: .manager)
            let original = HandedSocket(socket, label: "web", origin: .manager)
            all += [try #require(original), try #require(copy)]
        }
        return all
    }

    @Test func listeners_areCounted_notTheSocketsOfTheirWorkers() throws {
        let five = Upgrade.Sockets(relays: try sockets(5), admin: try sockets(1))
        #expect(five.relays.count == 10)
        #expect(five.words == "5 listeners and the admin API")
        #expect(Upgrade.Sockets(relays: try sockets(1), admin: []).words == "1 listener")
    }
}
