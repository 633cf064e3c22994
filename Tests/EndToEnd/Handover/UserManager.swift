import Foundation
import TestSupport
import Testing

/// A user's systemd manager for one test, which starts, watches and stops services as the system's does. It ends with
/// everything that it has started.
struct UserManager: Sendable {
    let scene: Scene
    fileprivate let variables: [String]

    /// Runs a systemctl command and returns its output.
    @discardableResult
    func ctl(_ words: String...) async throws -> String {
        try await scene.run(["env"] + variables + ["systemctl", "--user"] + words)
    }

    /// Runs a line of the documents as root's shell would, in the repository; `systemctl` uses this manager.
    func paste(_ line: String, variables: [String]) async throws {
        let script = "systemctl() { command systemctl --user \"$@\"; }; cd '\(Repository.root)'; \(line)"
        try await scene.run(["env"] + self.variables + variables + ["bash", "-euc", script])
    }

    /// A property of a unit.
    func property(_ name: String, of unit: String) async throws -> String {
        try await ctl("show", "--value", "--property", name, unit)
    }

    /// Installs a unit.
    func install(_ unit: String, _ text: String) throws {
        try Files.write(text, to: scene.path("home/.config/systemd/user/\(unit)"))
    }
}

extension Scene {
    /// Runs a test with a manager.
    func userManager(_ play: (UserManager) async throws -> Void) async throws {
        for folder in ["run", "home", "home/.config", "home/.config/systemd", "home/.config/systemd/user"] {
            try Files.makeDirectory(path(folder))
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path("run"))
        let variables = ["XDG_RUNTIME_DIR=\(path("run"))", "HOME=\(path("home"))", "LC_ALL=C"]
        // It checks whether the machine was booted with systemd; no other process sees this /run.
        let script = """
            mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system &&
            exec \(Programs.systemd) --user --log-target=console --unit=basic.target
            """
        let program = try start(["env"] + variables + ["unshare", "--mount", "sh", "-c", script])
        let manager = UserManager(scene: self, variables: variables)
        let result: Result<Void, any Error>
        do {
            try await eventually("systemd answers") { (try? await manager.ctl("show-environment")) != nil }
            try await play(manager)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        _ = try? await manager.ctl("exit")
        _ = try? await program.exit()
        try result.get()
    }
}

extension Programs {
    /// The manager's binary, which is not in PATH.
    static let systemd = "/usr/lib/systemd/systemd"
}

extension Trait where Self == ConditionTrait {
    /// Skips a test if a user's manager of systemd cannot run: it needs control groups.
    static var needsSystemd: Self {
        let groups = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/systemd/cgroup.procs"]
        let canRun =
            access(Programs.systemd, X_OK) == 0 && Host.mayMakeNetworks && groups.contains { access($0, W_OK) == 0 }
        return .enabled(
            if: canRun, "needs systemd (Debian package systemd), CAP_SYS_ADMIN and a writable control group")
    }
}
