import Configuration
import Glibc
import Recorder
import Sockets
import Terminal
import Text

/// What `forward` reports to a person at a terminal when it starts and when it ends: the local certificate
/// authority, the recording, and the sums.
///
/// On the main thread. Nothing is reported where there is no terminal.
struct SessionReport {
    /// What is recorded, as a person names it.
    private struct Recording {
        /// The file, the folder with its slash, or standard output.
        let name: String
        /// The argument of `tapline show`; nil where it cannot be read again.
        let path: String?
        /// A folder that does not exist yet.
        let isNewFolder: Bool
        /// It has the encrypted bytes of TLS, and their keys.
        let hasKeys: Bool
    }

    private let outputs: Outputs
    private let showsDiagnostics: Bool
    private let recording: Recording?
    private let authority: TLSSettings.Authority?

    /// A report of a plan that has not started; nil without a terminal, or where only errors are reported.
    init?(_ plan: RunPlan, _ outputs: Outputs) {
        guard let terminal = plan.terminal, !plan.isQuiet else { return nil }
        self.outputs = outputs
        showsDiagnostics = terminal.showsDiagnostics
        recording = Self.recording(of: plan)
        authority = plan.configuration.authority
    }

    private static func recording(of plan: RunPlan) -> Recording? {
        let hasKeys =
            plan.recordsEncrypted || plan.configuration.relays.contains { $0.record?.includesEncrypted == true }
        switch plan.recording {
        case .standardOutput:
            return Recording(name: "standard output", path: nil, isNewFolder: false, hasKeys: hasKeys)
        case .file(let typed):
            let path = Self.withoutRepeatedSlashes(typed)
            let isFile = OutputFile.descriptor(namedBy: path) == nil
            return Recording(name: path, path: isFile ? path : nil, isNewFolder: false, hasKeys: hasKeys)
        case nil:
            guard let folder = plan.configuration.relays.lazy.compactMap(\.record?.directory).first else { return nil }
            let here = workingDirectory() + "/"
            let name = (folder.hasPrefix(here) ? String(folder.dropFirst(here.count)) : folder) + "/"
            return Recording(name: name, path: name, isNewFolder: access(folder, F_OK) != 0, hasKeys: hasKeys)
        }
    }

    /// Everything has started.
    func started() {
        if let authority {
            let new = authority.isNew ? " (new)" : ""
            outputs.writeToTerminal(
                "Local CA: \(authority.path.harmless)\(new)\n"
                    + "To trust it: curl --cacert FILE; for other programs, run: tapline ca\n")
        }
        guard showsDiagnostics, let recording else { return }
        let new = recording.isNewFolder ? " (new directory)" : ""
        let keys = recording.hasKeys ? ", with the keys that decrypt its TLS sessions: share it with care" : ""
        outputs.writeToTerminal("Recording to \(recording.name.harmless)\(new)\(keys)\n")
    }

    /// A person pressed Ctrl-C, which the terminal has shown as `^C`: what follows begins on a line of its own.
    func interrupted() {
        outputs.writeToTerminal("\n")
    }

    /// Every connection has ended and every recording is closed.
    func ended() {
        guard let sum = outputs.totals?.now else { return }
        if let lines = outputs.summaryLines { outputs.writeToTerminal(lines.summary(sum)) }
        guard showsDiagnostics, let recording else { return }
        guard sum.recordedConnections > 0 else { return outputs.writeToTerminal("No connections were recorded\n") }
        var text =
            Quantity.number(sum.recordedConnections, "connection") + ", \(SizeText.short(sum.recordedBytes)) recorded"
        if sum.droppedBytes > 0 { text += ", \(SizeText.short(sum.droppedBytes)) missing" }
        let shown = recording.path.map { "see: tapline show \($0.harmless)" }
        outputs.writeToTerminal(Self.sentence(text, shown, columns: outputs.columns) + "\n")
    }

    /// The sentence and the command on one line, or on one each where the terminal is too narrow.
    static func sentence(_ text: String, _ command: String?, columns: Int) -> String {
        guard let command else { return text }
        let line = "\(text); \(command)"
        return line.count <= columns ? line : "\(text)\n\(command)"
    }

    private static func withoutRepeatedSlashes(_ path: String) -> String {
        let parts = path.split(separator: "/").joined(separator: "/")
        return path.hasPrefix("/") ? "/" + parts : parts
    }
}
