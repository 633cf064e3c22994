import ArgumentParser

/// The completion script of a shell. argument-parser completes an argument in one way only; those of `show` and `why`
/// are recordings or ids, so the script gets the recordings in addition, and the value of `--tls-cert` is a file or
/// `auto`. Pure.
enum CompletionScript {
    /// The extensions of recordings.
    static let recordings = ["pcapng", "pcap", "cap"]
    /// The calls that complete arguments which are recordings or ids.
    private static let calls = ["---completion show -- positional@0", "---completion why -- positional@0"]

    /// The shell of a command line that requests a script; nil if it requests none.
    static func shell(of words: [String]) -> CompletionShell? {
        guard words.count == 2, words[0] == "--generate-completion-script" else { return nil }
        return CompletionShell(rawValue: words[1])
    }

    /// The script for a shell.
    static func text(for shell: CompletionShell) -> String {
        let lines = Tapline.completionScript(for: shell).split(separator: "\n", omittingEmptySubsequences: false)
        var isCertificate = false
        return lines.flatMap { line in
            // In bash, the line after the option's name.
            defer { isCertificate = line.contains("'--tls-cert')") }
            if isCertificate || line.contains("'--tls-cert[") || line.contains(" -l 'tls-cert' ") {
                return withAutomatic(String(line), shell)
            }
            return calls.contains { line.contains($0) } ? withRecordings(String(line), shell) : [String(line)]
        }.joined(separator: "\n") + "\n"
    }

    /// A line that completes files, and a line or words that complete `auto`.
    private static func withAutomatic(_ line: String, _ shell: CompletionShell) -> [String] {
        let word = SecurityOptions.automatic
        switch shell {
        case .bash: return [line, line.replacing(" -f", with: " -W '\(word)'")]
        case .zsh: return [line.replacing(":_files'", with: ":{compadd \(word);_files}'")]
        case .fish: return [line + " -a '\(word)'"]
        default: return [line]
        }
    }

    /// A line that completes ids, and a line or words that complete recordings.
    private static func withRecordings(_ line: String, _ shell: CompletionShell) -> [String] {
        switch shell {
        case .bash:
            let indentation = line.prefix { $0 == " " }
            let function = line.dropFirst(indentation.count).prefix { $0 != " " }
            return [
                line, "\(indentation)\(function) -o plusdirs -fX '!*.@(\(recordings.joined(separator: "|")))'",
            ]
        case .zsh:
            let pattern = recordings.map { "*.\($0)" }.joined(separator: " ")
            return [line.replacing("\"}'", with: "\";_files -g '\\''\(pattern)'\\''}'")]
        case .fish:
            guard let call = line.firstRange(of: " -fka '(") else { return [line] }
            let names = recordings.map { "\\'\($0)\\'" }.joined(separator: " ")
            let files =
                " -fa '(set -l exts \(names);for p in (string match -e -- \\'*/\\' (commandline -t);or printf \\n)*"
                + ".{$exts};printf %s\\n $p;end;__fish_complete_directories (commandline -t) \\'\\')'"
            return [line, line[..<call.lowerBound] + files]
        default: return [line]
        }
    }
}
