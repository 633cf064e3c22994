import Foundation
import TestSupport
import Testing

/// The systemd instructions of docs/guide/install.md.
struct SystemdRecipeTests {
    /// The commands of that section, as root types them.
    private func recipe() throws -> [String] {
        let text = try Repository.text("docs/guide/install.md")
        let section = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("Run it under systemd") })
        return section.split(separator: "\n").filter { $0.hasPrefix("# ") }.map { String($0.dropFirst(2)) }
    }

    /// Without what a user's manager cannot do, and without mounts that a nested machine may refuse.
    private let dropIn = """
        [Service]
        DynamicUser=no
        User=
        PrivateTmp=no
        ProtectHome=no
        ProtectKernelTunables=no
        ProtectKernelLogs=no

        """

    @Test(.needs("make", "python3", "unshare", "bash"), .needsSystemd)
    func recipe_startsTheInstalledService_whenPasted() async throws {
        try await scene(.heavy) { scene in
            try await scene.userManager { manager in
                let units = scene.path("home/.config/systemd/user")
                try Files.makeDirectory("\(units)/tapline.service.d")
                try Files.write(dropIn, to: "\(units)/tapline.service.d/test.conf")
                let variables = [
                    "PREFIX=\(scene.path("local"))", "SYSCONFDIR=\(scene.path("etc"))", "UNITDIR=\(units)",
                    "BINARY=\(TaplineProcess.binary)",
                ]
                let commands = try recipe()
                #expect(commands.contains("make install") && commands.contains { $0.contains("enable --now") })
                for command in commands {
                    try await manager.paste(command, variables: variables)
                    // A user's manager has another folder for RuntimeDirectory=.
                    guard command == "make install" else { continue }
                    for name in ["tapline.yaml", "conf.d/example.yaml"] {
                        let path = scene.path("etc/tapline/\(name)")
                        let text = try #require(Files.read(path))
                        try Files.write(text.replacing("/run/tapline", with: scene.path("run/tapline")), to: path)
                    }
                }
                #expect(try await manager.property("ActiveState", of: "tapline.service") == "active")
                let binary = scene.path("local/bin/tapline")
                let status = try await scene.run(
                    binary, "status", "--admin", "unix:\(scene.path("run/tapline/admin.sock"))")
                #expect(status.contains("example"))
                let process = try await manager.property("MainPID", of: "tapline.service")
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe") == binary)
                try await manager.ctl("stop", "tapline.service")
                #expect(try await manager.property("Result", of: "tapline.service") == "success")
            }
        }
    }
}
