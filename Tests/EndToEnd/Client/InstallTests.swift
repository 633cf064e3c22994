import Foundation
import TestSupport
import Testing

/// `make install` and what it installs next to the program.
struct InstallTests {
    @Test(.needs("python3")) func manual_hasAPageForEachCommandAndTheConfiguration() async throws {
        try await scene { scene in
            let folder = scene.path("manual")
            try await scene.run("\(Repository.root)/.ci/manual", TaplineProcess.binary, folder)
            let pages = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
            let commands = [
                "forward", "run", "check", "demo", "show", "status", "connections", "top", "tail", "why", "kill",
                "reload", "drain", "shutdown", "wait-ready",
            ]
            #expect(pages.isSuperset(of: ["tapline.1", "tapline.yaml.5"] + commands.map { "tapline-\($0).1" }))
            let page = try String(contentsOfFile: "\(folder)/tapline-tail.1", encoding: .utf8)
            #expect(
                page.contains(".SH SYNOPSIS") && page.contains("\\-\\-connection") && page.contains("wireshark \\-k"))
            // No line begins as a request that the script does not write.
            for name in ["tapline-tail.1", "tapline-run.1", "tapline.yaml.5"] {
                let page = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
                let requests = Set(page.split(separator: "\n").filter { $0.hasPrefix(".") }.map { $0.prefix(3) })
                let written: Set<Substring> = [
                    ".TH", ".SH", ".PP", ".TP", ".nf", ".fi", ".RS", ".RE", ".nh", ".ad",
                ]
                #expect(requests.isSubset(of: written), "\(name)")
            }
        }
    }

    @Test(.needs("python3")) func manual_hasExamplesEnvironmentFilesSignalsAndExitStatuses() async throws {
        try await scene { scene in
            let folder = scene.path("manual")
            try await scene.run("\(Repository.root)/.ci/manual", TaplineProcess.binary, folder)
            func sections(_ name: String) throws -> Set<String> {
                let page = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
                return Set(page.split(separator: "\n").filter { $0.hasPrefix(".SH ") }.map { String($0.dropFirst(4)) })
            }
            let every: Set = ["EXAMPLES", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"]
            #expect(try sections("tapline.1").isSuperset(of: every.union(["FILES", "SIGNALS", "COMMANDS"])))
            #expect(try sections("tapline-run.1").isSuperset(of: every.union(["FILES", "SIGNALS"])))
            #expect(try sections("tapline-forward.1").isSuperset(of: every.union(["SIGNALS"])))
            #expect(try sections("tapline-status.1").isSuperset(of: every.union(["FILES"])))
            #expect(try sections("tapline-show.1").isSuperset(of: every))
            #expect(try sections("tapline.yaml.5").isSuperset(of: ["KEYS", "\"relays[].record.rotate\"", "EXAMPLES"]))
            #expect(try sections("tapline-check.1").isSuperset(of: every.union(["FILES"])))
            for name in ["tail", "top", "connections", "show", "wait-ready", "drain", "shutdown"] {
                #expect(try sections("tapline-\(name).1").isSuperset(of: every.union(["SIGNALS"])), "\(name)")
            }
            let check = try String(contentsOfFile: "\(folder)/tapline-check.1", encoding: .utf8)
            #expect(check.contains("TAPLINE_CONFIG") && !check.contains("TAPLINE_ADMIN"))
            let client = try String(contentsOfFile: "\(folder)/tapline-status.1", encoding: .utf8)
            #expect(client.contains("TAPLINE_ADMIN_TOKEN") && client.contains("NO_COLOR"))
        }
    }

    /// With an `apt-get` and a `swift` that only leave a trace, so that a call of one is found.
    @Test(.needs("make", "python3")) func makeInstall_installsEverythingAndBuildsNothing() async throws {
        try await scene { scene in
            try Files.makeDirectory(scene.path("tools"))
            for tool in ["apt-get", "swift", "sudo"] {
                let path = try scene.file(
                    "tools/\(tool)", "#!/bin/sh\necho \(tool) >>\(scene.path("traces"))\nexit 1\n")
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            }
            let install = [
                "env", "PATH=\(scene.path("tools")):/usr/bin:/bin", "make", "-C", Repository.root, "install",
                "BINARY=\(TaplineProcess.binary)", "DESTDIR=\(scene.path("root"))",
            ]
            try await scene.run(install)
            #expect(Files.read(scene.path("traces")) == nil)
            let local = scene.path("root/usr/local")
            let installed = [
                "bin/tapline", "share/man/man1/tapline.1", "share/man/man5/tapline.yaml.5",
                "share/bash-completion/completions/tapline", "share/zsh/site-functions/_tapline",
                "share/fish/vendor_completions.d/tapline.fish", "share/tapline/tapline.schema.json",
                "share/doc/tapline/README.md", "share/doc/tapline/tapline.yaml",
                "share/doc/tapline/docs/guide/troubleshooting.md", "share/doc/tapline/config/examples/sidecar.yaml",
                "share/doc/tapline/config/examples/include/conf.d/10-web.yaml",
            ]
            for file in installed { #expect(access("\(local)/\(file)", R_OK) == 0, "\(file)") }
            let unit = try #require(Files.read("\(local)/lib/systemd/system/tapline.service"))
            let starts = unit.split(separator: "\n").filter { $0.hasPrefix("ExecStart=") }
            #expect(starts == ["ExecStart=/usr/local/bin/tapline run --config /etc/tapline/tapline.yaml"])

            // The configuration is good, and a second installation keeps what was changed.
            let configuration = scene.path("root/etc/tapline/tapline.yaml")
            try await scene.run("\(local)/bin/tapline", "check", configuration)
            try Files.append("# mine\n", to: configuration)
            try await scene.run(install)
            #expect(Files.read(configuration)?.hasSuffix("# mine\n") == true)
        }
    }

    @Test(.needs("make")) func makeInstall_withoutABinary_namesTheCommandThatBuildsIt() async throws {
        try await scene { scene in
            let make = try scene.start([
                "make", "-C", Repository.root, "install", "BINARY=\(scene.path("none"))",
                "DESTDIR=\(scene.path("root"))",
            ])
            make.finishInput()
            let status = try await make.exit()
            #expect(status != .exited(0))
            #expect(make.errors.all.contains { $0.contains("Run \"make build\" first") })
            #expect(access(scene.path("root"), F_OK) != 0)
        }
    }

    @Test func completions_areMadeForEveryShell() async throws {
        try await scene { scene in
            let bash = try scene.file(
                "completion.bash", try await scene.run(TaplineProcess.binary, "--generate-completion-script", "bash"))
            try await scene.run("bash", "-n", bash)
            let shown = try await scene.run(
                "bash", "-c",
                "source \"$0\"; COMP_WORDS=(tapline con); COMP_CWORD=1; COMP_LINE='tapline con'; COMP_POINT=11; "
                    + "_tapline; echo \"${COMPREPLY[@]}\"", bash)
            #expect(shown.contains("connections"))
            for shell in ["zsh", "fish"] {
                let script = try await scene.run(TaplineProcess.binary, "--generate-completion-script", shell)
                #expect(script.contains("connections"))
            }
        }
    }
}
