import Configuration
import EventLoop
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

@testable import Admin
@testable import Daemon

/// Settings that the admin server's host refuses.
struct AdminHostTests {
    @Test(arguments: ["*:9180", "0.0.0.0:9180", "192.0.2.1:9180", "[::]:9180", "[2001:db8::1]:9180"])
    func addressOffLoopback_withoutAToken_isRefused(_ address: String) throws {
        let settings = AdminSettings(listen: try ListenAddress(parsing: address, directory: "/"))
        let error = #expect(throws: SystemError.self) { try AdminHost.refuseOpenDoor(settings, nil) }
        #expect(error?.description.contains("there is no token; set admin.token_file") == true)
        #expect(error?.subject == .admin)
        let token = try AdminToken.load(settings, environment: "good-token-1234")
        #expect(throws: Never.self) { try AdminHost.refuseOpenDoor(settings, token) }
    }

    /// SwiftNIO ends the process where it cannot start a thread: a reload that turns the API on is refused before that,
    /// and is accepted once there is one.
    @Test func threadThatCannotBeStarted_refusesTheChange_andNothingElse() async throws {
        try await Exclusive.run {
            let log = LogCapture()
            let configuration = Configuration(workers: .exactly(1), relays: [])
            let service = try RelayService.start(configuration, observer: Observer(), logger: log.logger)
            let services = AdminServices(
                relays: service,
                status: ProcessStatus(version: "1", path: nil, directory: "/", configuration: configuration),
                journal: Journal(), drain: {}, shutdown: { true })
            let refusal = Monitor<Errno?>(Errno(EAGAIN))
            let server = AdminServer(services, logger: log.logger, refusal: { refusal.withLock { $0 } })
            let host = AdminHost(server, environmentToken: nil, logger: log.logger) { _ in }
            let settings = AdminSettings(listen: .address(.ipv4(.loopback, port: 0)))
            let error = #expect(throws: SystemError.self) { try host.prepare(settings) }
            #expect(error?.errno == Errno(EAGAIN))
            #expect(error?.description.contains("its thread cannot be started") == true)
            #expect(error?.subject == .admin)
            #expect(server.addresses.isEmpty)

            refusal.withLock { $0 = nil }
            host.discard(try host.prepare(settings))
            service.stop()
            service.join()
        }
    }

    /// The default socket listens at once without a server, and leaves nothing. `DefaultSocketTests` has its clients.
    @Test func defaultSocket_withoutAClient_startsNoServer_andLeavesNoFile() async throws {
        try await TemporaryFolder.run { parent in
            try await Exclusive.run {
                let log = LogCapture()
                let configuration = Configuration(workers: .exactly(1), relays: [])
                let service = try RelayService.start(configuration, observer: Observer(), logger: log.logger)
                let server = AdminServer(
                    AdminServices(
                        relays: service,
                        status: ProcessStatus(version: "1", path: nil, directory: "/", configuration: configuration),
                        journal: Journal(), drain: {}, shutdown: { true }), logger: log.logger)
                let host = AdminHost(server, environmentToken: nil, logger: log.logger) { _ in }
                let folder = try #require(RuntimeFolder(variable: parent))
                let loop = try EventLoop()
                try host.open(in: folder, on: loop)
                let path = folder.socket(ofProcess: getpid())
                var facts = stat()
                #expect(lstat(path, &facts) == 0 && facts.st_mode == S_IFSOCK | 0o600)
                #expect(server.addresses.isEmpty)
                host.stop()
                loop.run()
                loop.close()
                #expect(lstat(path, &facts) != 0)
                service.stop()
                service.join()
            }
        }
    }

    @Test func defaultSocket_inAFolderThatIsRefused_isAnError() async throws {
        try await TemporaryFolder.run { parent in
            try await Exclusive.run {
                let log = LogCapture()
                let configuration = Configuration(workers: .exactly(1), relays: [])
                let service = try RelayService.start(configuration, observer: Observer(), logger: log.logger)
                let server = AdminServer(
                    AdminServices(
                        relays: service,
                        status: ProcessStatus(version: "1", path: nil, directory: "/", configuration: configuration),
                        journal: Journal(), drain: {}, shutdown: { true }), logger: log.logger)
                let host = AdminHost(server, environmentToken: nil, logger: log.logger) { _ in }
                let folder = RuntimeFolder.find(variable: nil, users: parent, temporary: parent)
                #expect(symlink("/tmp", folder.path) == 0)
                let loop = try EventLoop()
                #expect(throws: RuntimeFolder.Refusal.notAFolder(folder.path)) { try host.open(in: folder, on: loop) }
                host.stop()
                loop.run()
                loop.close()
                service.stop()
                service.join()
            }
        }
    }

    @Test func systemWithRoom_refusesNoThread() {
        #expect(Errno.refusingEventLoop() == nil)
    }

    @Test(arguments: ["9180", "127.0.0.1:9180", "[::1]:9180", "unix:/run/tapline.sock"])
    func addressOnThisMachine_needsNone(_ address: String) throws {
        let settings = AdminSettings(listen: try ListenAddress(parsing: address, directory: "/"))
        #expect(throws: Never.self) { try AdminHost.refuseOpenDoor(settings, nil) }
    }
}
