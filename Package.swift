// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of ours is compiled with. Warnings are errors for our own targets only: a global flag would
/// also hit the dependencies.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// The data plane is optimised across modules: one hot path runs through Sockets, EventLoop and Relay. Exclusivity is
/// still checked in debug builds and by the sanitizers.
let dataPlane: [SwiftSetting] =
    settings + [
        .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release))
    ]

/// The static runtime's link options export every symbol, so that none is removed as unused. Of the linkers that a
/// toolchain brings, lld also packs relative relocations (.ci/release).
let smallBinary: [LinkerSetting] = [
    .unsafeFlags(["-use-ld=lld", "-Xlinker", "--no-export-dynamic"], .when(configuration: .release))
]

let package = Package(
    name: "tapline",
    products: [.executable(name: "tapline", targets: ["tapline"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["ConfigurationSupport"]),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // MARK: The system
        .systemLibrary(name: "CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux"),

        // MARK: The house, from the ground up
        .target(name: "Sockets", dependencies: ["CLinux"], swiftSettings: dataPlane),
        .target(name: "EventLoop", dependencies: ["CLibuv", "Sockets"], swiftSettings: dataPlane),
        .target(name: "Text", swiftSettings: settings),
        .target(name: "ProxyProtocol", dependencies: ["Sockets", "Text"], swiftSettings: dataPlane),
        .target(name: "TLSHello", dependencies: ["Text"], swiftSettings: dataPlane),
        .target(name: "StartTLS", swiftSettings: dataPlane),
        .target(name: "TLS", dependencies: ["COpenSSL", "Sockets", "Text"], swiftSettings: dataPlane),
        .target(name: "Tunnel", dependencies: ["Sockets", "Text"], swiftSettings: dataPlane),
        .target(name: "Configuration", dependencies: ["CYAML", "Sockets", "TLS", "Text"], swiftSettings: settings),
        .target(name: "Recording", dependencies: ["Sockets", "TLSHello", "Text"], swiftSettings: dataPlane),
        .target(
            name: "Recorder",
            dependencies: [
                "Configuration", "EventLoop", "Recording", "Sockets", "Text",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: dataPlane),
        .target(
            name: "Relay",
            dependencies: [
                "Configuration", "EventLoop", "ProxyProtocol", "Recorder", "Recording", "Sockets", "StartTLS", "TLS",
                "TLSHello", "Text", "Tunnel",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: dataPlane),
        // Of Hummingbird this takes the core, HTTP on a channel: the router is a table of ours.
        .target(
            name: "Admin",
            dependencies: [
                "Configuration", "Recorder", "Recording", "Relay", "Sockets", "Text",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                // Hummingbird may use a package whose module has our name; it does not, with its traits off.
                .product(
                    name: "HummingbirdCore", package: "hummingbird",
                    moduleAliases: ["Configuration": "SwiftConfiguration"]),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            resources: [
                .embedInCode("Page/page.html"), .embedInCode("Page/page.css"), .embedInCode("Page/Script"),
            ],
            swiftSettings: settings),
        .target(name: "Terminal", dependencies: ["Sockets", "Text"], swiftSettings: settings),
        .target(
            name: "Show", dependencies: ["Configuration", "EventLoop", "Recording", "Sockets", "Terminal", "Text"],
            swiftSettings: settings),
        .target(
            name: "Client",
            dependencies: [
                "Configuration", "EventLoop", "Recording", "Show", "Sockets", "Terminal", "Text",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(
            name: "Daemon",
            dependencies: [
                "Admin", "Configuration", "EventLoop", "Recorder", "Recording", "Relay", "Sockets", "Terminal", "Text",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "tapline",
            dependencies: [
                "Client", "Configuration", "Daemon", "EventLoop", "Recorder", "Relay", "Show", "Sockets", "Terminal",
                "Text",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings, linkerSettings: smallBinary),

        // MARK: Tests
        // Linked into the tests alone, and empty but for the thread sanitizer: Locks.c says why it is there.
        .target(name: "ThreadSanitizerLocks", path: "Tests/ThreadSanitizer/Sources/ThreadSanitizerLocks"),
        .target(
            name: "TestSupport",
            dependencies: [
                "CLinux", "COpenSSL", "Configuration", "EventLoop", "Recording", "Relay", "Sockets",
                "ThreadSanitizerLocks",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        .testTarget(name: "SocketsTests", dependencies: ["Sockets", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ProxyProtocolTests", dependencies: ["ProxyProtocol", "Sockets"], swiftSettings: settings),
        .testTarget(name: "TLSHelloTests", dependencies: ["TLSHello", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "TLSTests", dependencies: ["Sockets", "TestSupport", "TLS", "Text"], swiftSettings: settings),
        .testTarget(name: "StartTLSTests", dependencies: ["StartTLS"], swiftSettings: settings),
        .testTarget(name: "TunnelTests", dependencies: ["TestSupport", "Tunnel"], swiftSettings: settings),
        .testTarget(name: "TextTests", dependencies: ["TestSupport", "Text"], swiftSettings: settings),
        .testTarget(
            name: "RecordingTests",
            dependencies: [
                "Recording", "Sockets", "TestSupport", "Text",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EventLoopTests", dependencies: ["EventLoop", "Sockets", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration", "Sockets", "TLS", "TestSupport", "Text"],
            swiftSettings: settings),
        .testTarget(
            name: "RecorderTests",
            dependencies: ["EventLoop", "Recorder", "Recording", "Sockets", "TestSupport", "Text"],
            swiftSettings: settings),
        .testTarget(
            name: "RelayTests",
            dependencies: [
                "Configuration", "EventLoop", "ProxyProtocol", "Recorder", "Recording", "Relay", "Sockets", "TLS",
                "TLSHello", "TestSupport", "Text",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "AdminTests",
            dependencies: [
                "Admin", "Configuration", "Relay", "Sockets", "TestSupport", "Text",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TerminalTests",
            dependencies: ["Sockets", "Terminal", "TestSupport", "Text"],
            swiftSettings: settings),
        .testTarget(
            name: "ShowTests", dependencies: ["Recording", "Show", "Terminal", "TestSupport", "Text"],
            swiftSettings: settings),
        .testTarget(
            name: "ClientTests",
            dependencies: ["Client", "Configuration", "Sockets", "Terminal", "TestSupport", "Text"],
            swiftSettings: settings),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "Admin", "Configuration", "Daemon", "EventLoop", "Recorder", "Recording", "Relay", "Sockets",
                "Terminal", "TestSupport", "Text",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TaplineTests",
            dependencies: [
                "tapline", "Configuration", "Daemon", "EventLoop", "Sockets", "Terminal", "TestSupport", "Text",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EndToEnd",
            dependencies: [
                "tapline", "ProxyProtocol", "Sockets", "TestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            path: "Tests/EndToEnd",
            exclude: ["Peers"],
            swiftSettings: settings),
    ]
)
