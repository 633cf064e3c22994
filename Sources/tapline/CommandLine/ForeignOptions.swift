import ArgumentParser
import Configuration
import Terminal

/// Options of other programs on the command line of `forward`, and what they are here.
struct ForeignOptions {
    /// The first such option.
    let option: String
    /// What to do instead.
    let message: String
    /// The command line in our form.
    let proposals: [[String]]

    private static let listening = [
        "--listen", "--from", "--local", "--bind", "--source", "--src", "--port", "-l", "-p",
    ]
    private static let upstream = [
        "--upstream", "--to", "--remote", "--target", "--destination", "--dest", "--dst", "--backend", "-r", "-t",
    ]
    private static let recording = ["-w", "-o", "--output", "--write", "--pcap", "--capture", "--rec"]
    private static let talking = ["-v", "-vv", "--verbose", "-d", "--debug", "--log-level", "--loglevel", "--level"]

    /// Finds the options in the words after `forward`; nil if there are none.
    init?(_ words: [String]) {
        var (listen, destination): (String?, String?) = (nil, nil)
        var (kept, removed): ([String], [String]) = ([], [])
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.hasPrefix("-") ? word.split(separator: "=", maxSplits: 1).map(String.init) : [word]
            let name = parts.first ?? word
            func value() -> String? {
                parts.count > 1 ? parts[1] : rest.first?.hasPrefix("-") == false ? rest.popFirst() : nil
            }
            // `-p text` is --print.
            let isView = name == "-p" && rest.first.flatMap(TrafficView.init(rawValue:)) != nil
            if Self.listening.contains(name), !isView {
                removed.append(name)
                listen = value()
            } else if Self.upstream.contains(name) {
                removed.append(name)
                destination = value()
            } else if Self.recording.contains(name) {
                removed.append(name)
                kept += ["--record", value() ?? "FILE"]
            } else if Self.talking.contains(name) {
                removed.append(name)
                if name.contains("level") { _ = value() }
            } else if name == "-R" {
                removed.append(name)
            } else {
                kept.append(word)
            }
        }
        guard let first = removed.first else { return nil }
        option = first
        if Self.listening.contains(first) || Self.upstream.contains(first) {
            message = "`forward` takes a SPEC instead of `\(first)`: where to listen and where to forward, in one word"
        } else if Self.recording.contains(first) {
            message = "unknown option `\(first)`; recording is `--record`"
        } else if first == "-R" {
            message =
                "unknown option `-R`; Tapline listens only on the machine that it runs on, so run it on the other one"
        } else {
            message =
                "unknown option `\(first)`; `forward` has no log level: it prints every connection, and with `--print` its bytes"
        }
        let directory = workingDirectory()
        if let listen, let destination {
            let words = [listen, destination]
            let spec = words.joined(separator: ":")
            let isRight = (try? ForwardSpec.relays([spec], directory: directory)) != nil
            let specs = isRight ? [[spec]] : ForwardProposal(for: words, directory: directory)?.alternatives ?? []
            proposals = specs.map { ["forward"] + $0 + kept }
        } else {
            let isComplete =
                listen == nil && destination == nil && first != "-R" && kept.contains { !$0.hasPrefix("-") }
            proposals = isComplete ? [["forward"] + kept] : []
        }
    }

    /// Whether argument-parser's error may be due to the options: it reports another one if several apply.
    func explains(_ error: any Error) -> Bool {
        let message = Tapline.message(for: error)
        return message.hasPrefix("Unknown option") || message.hasPrefix("Missing expected argument")
            || message.contains("nexpected argument") || message.contains("is invalid for '-p ")
    }
}
