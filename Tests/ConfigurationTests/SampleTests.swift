import TestSupport
import Testing
import Text

@testable import Configuration

/// The files of `config/` are documentation, so they must be correct.
@Suite struct SampleTests {
    @Test func sample_runsAsItIs_andShowsTheDefaults() throws {
        let text = try Repository.text("config/tapline.yaml")
        let configuration = try Configuration.parse(
            text, path: "tapline.yaml", directory: "/etc/tapline", environment: [:])
        let expected = Configuration(
            admin: AdminSettings(listen: AdminSettings.defaultListen),
            relays: [
                RelaySettings(name: "web", listen: [.loopback(port: 8080)], upstream: .name("example.com", port: 80))
            ])
        #expect(configuration == expected)
    }

    @Test func sample_showsEveryKey() throws {
        let text = try Repository.text("config/tapline.yaml")
        let keys =
            RootKey.allCases.map(\.rawValue) + LogKey.allCases.map(\.rawValue) + ShutdownKey.allCases.map(\.rawValue)
            + AdminKey.allCases.map(\.rawValue) + RelayKey.allCases.map(\.rawValue)
            + TimeoutsKey.allCases.map(\.rawValue) + ProxyProtocolKey.allCases.map(\.rawValue)
            + InterceptionKey.allCases.map(\.rawValue)
            + TLSRoutingKey.allCases.map(\.rawValue) + TLSRouteKey.allCases.map(\.rawValue)
            + RequestedKey.allCases.map(\.rawValue)
            + RecordKey.allCases.map(\.rawValue)
            + RotateKey.allCases.map(\.rawValue)
        for key in keys { #expect(text.contains("\(key):"), "\(key)") }
    }

    @Test func examples_areValid() throws {
        let examples = try Repository.files(in: "config/examples", ending: ".yaml")
        #expect(examples.count >= 6)
        // Also those in folders of their own, and the configurations of packages and images.
        let others = [
            "config/examples/include/tapline.yaml", "config/debian/tapline.yaml", "config/container/tapline.yaml",
        ]
        for example in examples + others {
            let configuration = try Configuration.load(path: "\(Repository.root)/\(example)", environment: [:])
            #expect(!configuration.relays.isEmpty, "\(example)")
            // Each begins with a comment that states its purpose.
            #expect(try Repository.text(example).hasPrefix("# "), "\(example)")
        }
    }

    @Test func includeExample_isOneConfigurationOfThreeFiles() throws {
        let path = "\(Repository.root)/config/examples/include/tapline.yaml"
        #expect(try Configuration.load(path: path, environment: [:]).relays.map(\.name) == ["web", "smtp", "imap"])
    }

    /// A package must not open anything to other machines, or use a port that another program may have.
    @Test func packagedConfiguration_listensOnUnixSocketsOnly() throws {
        let path = "\(Repository.root)/config/debian/tapline.yaml"
        let configuration = try Configuration.load(path: path, environment: [:])
        let listeners = configuration.relays.flatMap(\.listen) + [configuration.admin?.listen].compactMap { $0 }
        #expect(listeners.count == 2)
        for listener in listeners {
            guard case .unix(let path, let mode) = listener else {
                Issue.record("\(listener)")
                continue
            }
            #expect(path.hasPrefix("/run/tapline/") && mode == 0o600)
        }
    }

    @Test func sidecar_listensOnASocketOfItsOwn() throws {
        let path = "\(Repository.root)/config/examples/sidecar.yaml"
        let configuration = try Configuration.load(path: path, environment: ["PORT": "9000"])
        #expect(configuration.relays[0].listen == [.everyInterface(port: 9000)])
        #expect(configuration.relays[1].listen == [.unix(path: "/run/app/database.sock", mode: 0o600)])
        #expect(configuration.log.format == .json)
    }
}
