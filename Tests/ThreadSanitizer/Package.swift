// swift-tools-version: 6.2
import PackageDescription

/// A package of its own, for what it plants must not be among the tests: `.ci/sanitize` runs it before them.
let package = Package(
    name: "thread-sanitizer",
    targets: [
        .target(name: "ThreadSanitizerLocks"),
        .executableTarget(
            name: "Planted", dependencies: ["ThreadSanitizerLocks"],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    ]
)
