import Foundation
import Testing

/// A small disk for one test, mounted in a mount namespace, which only programs started with `before` share. It ends
/// with the test's scene.
struct Disk: Sendable {
    fileprivate let scene: Scene
    /// The words that start a program in that namespace.
    let before: [String]
    /// Its folder in that namespace.
    let folder: String
    /// The same folder, as seen by all processes.
    let outside: String

    /// Runs a program in that namespace.
    @discardableResult
    func run(_ words: String...) async throws -> String { try await scene.run(before + words) }

    /// Remounts it with other options, such as a size.
    func remount(_ options: String) async throws {
        try await run("mount", "-o", "remount,\(options)", folder)
    }

    /// Freezes it: writers wait in the kernel, where signals have no effect. It is thawed when the returned program
    /// loses its input, whatever the outcome of the test.
    func freeze() async throws -> Program {
        // A shell's background job would have no input of its own.
        let script = "exec 3<&0; (cat <&3 >&2; fsfreeze -u \(folder)) & fsfreeze -f \(folder) && echo frozen; wait"
        let program = try scene.start(before + ["sh", "-c", script])
        try await program.output.line(containing: "frozen")
        return program
    }
}

extension Scene {
    /// Creates a disk in memory with mount options, such as `size=1m`.
    func memoryDisk(_ options: String) async throws -> Disk {
        try await disk("mount -t tmpfs -o \(options) test \(path("disk"))")
    }

    /// Creates a disk of this many MiB that can be frozen.
    func realDisk(mebibytes: Int) async throws -> Disk {
        let image = path("image")
        try await run("truncate", "-s", "\(mebibytes)M", image)
        try await run("mkfs.ext4", "-q", "-F", image)
        return try await disk("mount -o loop \(image) \(path("disk"))")
    }

    private func disk(_ mount: String) async throws -> Disk {
        try FileManager.default.createDirectory(atPath: path("disk"), withIntermediateDirectories: false)
        // It lives as long as this process.
        let holder = try start(["unshare", "--mount", "sh", "-e", "-c", "\(mount)\necho ready\nexec cat"])
        do {
            try await holder.output.line(containing: "ready")
        } catch {
            throw Failure("no disk: \(holder.errors.all.joined(separator: "; "))")
        }
        let pid = try await holder.pid()
        return Disk(
            scene: self, before: ["nsenter", "--target", "\(pid)", "--mount", "--"], folder: path("disk"),
            outside: "/proc/\(pid)/root\(path("disk"))")
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test that needs to mount something.
    static var mayMount: Self { .enabled(if: Host.mayMakeNetworks, "needs CAP_SYS_ADMIN, to mount a disk of its own") }

    /// Skips a test that needs a block device backed by a file.
    static var hasLoopDevices: Self {
        .enabled(if: access("/dev/loop-control", R_OK | W_OK) == 0, "needs loop devices (/dev/loop-control)")
    }
}
