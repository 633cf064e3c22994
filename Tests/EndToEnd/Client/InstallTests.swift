import Foundation
import Testing

/// What `make install` makes of the program beside the program.
struct InstallTests {
    @Test(.needs("python3")) func manual_hasAPageForEachCommand_withItsOptions() async throws {
        try await scene { scene in
            let script = URL(fileURLWithPath: Scene.peers).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent(".ci/manual").path
            let folder = scene.path("manual")
            try await scene.run(script, TaplineProcess.binary, folder)
            let pages = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
            let commands = [
                "forward", "run", "check", "demo", "show", "status", "connections", "top", "tail", "why", "kill",
                "reload", "drain", "shutdown", "wait-ready",
            ]
            #expect(pages == Set(["tapline.1"] + commands.map { "tapline-\($0).1" }))
            let page = try String(contentsOfFile: "\(folder)/tapline-tail.1", encoding: .utf8)
            #expect(
                page.contains(".SH SYNOPSIS") && page.contains("\\-\\-connection") && page.contains("wireshark \\-k"))
            // No line begins as a request that is none of the script's.
            let requests = Set(page.split(separator: "\n").filter { $0.hasPrefix(".") }.map { $0.prefix(3) })
            #expect(requests.isSubset(of: [".TH", ".SH", ".PP", ".TP", ".nf", ".fi", ".RS", ".RE", ".nh", ".ad"]))
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
