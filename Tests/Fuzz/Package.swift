// swift-tools-version: 6.2
import PackageDescription

// A separate package, because its flags must not reach released programs: every target, including the modules under
// test (symbolic links to Sources), is compiled with libFuzzer's instrumentation.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-sanitize=fuzzer,address"]),
]

/// A program with libFuzzer's driver.
func fuzzer(_ name: String, _ modules: Target.Dependency...) -> Target {
    .executableTarget(
        name: name, dependencies: ["CFuzzer"] + modules, swiftSettings: settings,
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])])
}

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CFuzzer"),
        .target(name: "Sockets", dependencies: ["CLinux"], swiftSettings: settings),
        .target(name: "Text", swiftSettings: settings),
        .target(name: "ProxyProtocol", dependencies: ["Sockets", "Text"], swiftSettings: settings),
        .target(name: "TLSHello", dependencies: ["Text"], swiftSettings: settings),
        .target(name: "Tunnel", dependencies: ["Sockets", "Text"], swiftSettings: settings),
        .target(name: "StartTLS", swiftSettings: settings),
        .target(name: "Recording", dependencies: ["Sockets", "TLSHello", "Text"], swiftSettings: settings),
        .target(name: "TLS", dependencies: ["COpenSSL", "Sockets", "Text"], swiftSettings: settings),
        .target(name: "Configuration", dependencies: ["CYAML", "Sockets", "TLS", "Text"], swiftSettings: settings),
        fuzzer("RecordingFuzz", "Recording"),
        fuzzer("SegmentFuzz", "Recording"),
        fuzzer("ProtocolFuzz", "Recording", "Sockets"),
        fuzzer("ProxyFuzz", "ProxyProtocol", "Sockets"),
        fuzzer("HelloFuzz", "TLSHello"),
        fuzzer("TunnelFuzz", "Tunnel"),
        fuzzer("StartTLSFuzz", "StartTLS"),
        fuzzer("ConfigurationFuzz", "Configuration"),
        fuzzer("ValueFuzz", "Configuration", "Sockets", "Text"),
    ]
)
