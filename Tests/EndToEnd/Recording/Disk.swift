import Foundation
import Testing

/// A small disk of a test's own, mounted where only what is started in its view of the file system sees it. It ends with
/// the test's scene.
struct Disk: Sendable {
    fileprivate let scene: Scene
    /// The words that start a program that sees it.
    let before: [String]
    /// Its folder, as such programs see it.
    let folder: String
    /// The same, as everybody sees it.
    let outside: String

    /// Runs a program that sees it.
    @discardableResult
    func run(_ words: String...) async throws -> String { try await scene.run(before + words) }

    /// Mounts it anew with other options, such as a size.
    func remount(_ options: String) async throws {
        try await run("mount", "-o", "remount,\(options)", folder)
    }

    /// Stops it: whoever writes waits in the kernel, where no signal reaches. Whatever becomes of the test, it goes on
    /// when the program that is returned has lost its input.
    func freeze() async throws -> Program {
        // A shell's background job would have no input of its own.
        let script = "exec 3<&0; (cat <&3 >&2; fsfreeze -u \(folder)) & fsfreeze -f \(folder) && echo frozen; wait"
        let program = try scene.start(before + ["sh", "-c", script])
        try await program.output.line(containing: "frozen")
        return program
    }
}

extension Scene {
    /// Makes a disk in memory, with mount's options: `size=1m`.
    func memoryDisk(_ options: String) async throws -> Disk {
        try await disk("mount -t tmpfs -o \(options) test \(path("disk"))")
    }

    /// Makes a disk of so many MiB that can be stopped.
    func realDisk(mebibytes: Int) async throws -> Disk {
        let image = path("image")
        try await run("truncate", "-s", "\(mebibytes)M", image)
        try await run("mkfs.ext4", "-q", "-F", image)
        return try await disk("mount -o loop \(image) \(path("disk"))")
    }

    private func disk(_ mount: String) async throws -> Disk {
        try FileManager.default.createDirectory(atPath: path("disk"), withIntermediateDirectories: false)
        // It lives for as long as this process in it.
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
    /// Skips a test that mounts something.
    static var mayMount: Self { .enabled(if: Host.mayMakeNetworks, "needs CAP_SYS_ADMIN, to mount a disk of its own") }

    /// Skips a test that needs a block device made of a file.
    static var hasLoopDevices: Self {
        .enabled(if: access("/dev/loop-control", R_OK | W_OK) == 0, "needs loop devices (/dev/loop-control)")
    }
}
