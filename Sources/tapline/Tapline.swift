import ArgumentParser
import Client
import Configuration
import Daemon
import EventLoop
import Glibc
import Sockets
import Terminal

/// The command line.
@main
struct Tapline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tapline",
        abstract: "A TCP relay that reports how each connection ended, and why.",
        discussion: """
            Every connection ends with one record: who closed it, why, how many bytes \
            went each way, and how long it took.

              tapline forward 8080:example.com:80   forward a port
              tapline run --config tapline.yaml     run the relays of a configuration file
              tapline demo                          a demonstration that needs nothing else
              tapline show web.pcapng               read a recording
              tapline top                           watch a running Tapline
              tapline why                           explain the last connection that failed

            Exit status: 0 success, 64 wrong usage, 78 wrong configuration, 71 operating \
            system error (port in use, permission denied, ...), 1 anything else.

            Environment: \(AdminTarget.variable) the address of the admin API, \
            \(AdminSettings.tokenVariable) its token, \(ConfigurationPlaces.variable) the configuration, NO_COLOR and \
            FORCE_COLOR turn colours off and on. Each command's help and manual page have all defaults \
            and the other variables.
            """,
        version: "tapline \(Version.number) (libuv \(EventLoop.version))",
        subcommands: [Forward.self, Run.self, Check.self, Demo.self, ShowCommand.self, AuthorityCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Commands for a running Tapline",
                subcommands: [
                    Status.self, Connections.self, Top.self, Tail.self, Why.self, RecordCommand.self, Kill.self,
                    ReloadCommand.self, Drain.self, Shutdown.self, WaitReady.self,
                ])
        ])

    /// Runs the command, and ends the process with its exit status.
    static func main() {
        OutputFile.fillStandardDescriptors()
        EventLoop.prepareProcess()
        ProcessSignals.prepare()
        let words = CommandWords.own
        do {
            if let shell = CompletionScript.shell(of: words) {
                try writeToStandardOutput(CompletionScript.text(for: shell))
                EventLoop.leaveProcess(EXIT_SUCCESS)
            }
            var command = try parsed(words)
            try command.run()
        } catch {
            // A shell that completes a line shows no errors: they would be in the middle of it.
            if words.first == "---completion", !exitCode(for: error).isSuccess { EventLoop.leaveProcess(EXIT_FAILURE) }
            guard let failure = failure(error, words) else { return printHelp(error) }
            if !failure.message.isEmpty {
                writeToStandardError(FailureText.painted(failure, TerminalTraits(of: .standardError)) + "\n")
            }
            EventLoop.leaveProcess(failure.status.rawValue)
        }
        EventLoop.leaveProcess(EXIT_SUCCESS)
    }

    /// Prints a help text, or the version, which argument-parser throws.
    private static func printHelp(_ error: any Error) {
        guard exitCode(for: error).isSuccess else { exit(withError: error) }
        let text = HelpText.fitted(fullMessage(for: error), columns: TerminalWidth.current ?? 80)
        // A reader that has closed its end, such as `head`, is no failure.
        try? writeToStandardOutput(text.last == "\n" ? text : text + "\n")
        EventLoop.leaveProcess(EXIT_SUCCESS)
    }

    /// The command of a command line. An unknown one is found first, since its options mean nothing.
    static func parsed(_ words: [String]) throws -> any ParsableCommand {
        if let error = UsageError(unknownCommand: words) ?? UsageError(negativePort: words) { throw error }
        return try parseAsRoot(words)
    }

    /// The failure for an error; nil where argument-parser prints something, such as a help text. `columns`: the width of
    /// the terminal, if it is one.
    static func failure(
        _ error: any Error, _ words: [String], columns: Int? = OutputFile.standardError.columns
    ) -> CommandFailure? {
        if let failure = CommandFailure(error) {
            guard let columns else { return failure }
            // Indented lines are lists, and command lines to copy.
            let lines = failure.message.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
                line.hasPrefix(" ") ? [String(line)] : String(line).wrapped(to: columns)
            }
            return CommandFailure(failure.status, lines.joined(separator: "\n"))
        }
        if let usage = error as? UsageError { return CommandFailure(.usage, usage.text(columns: columns)) }
        guard exitCode(for: error).rawValue == ExitStatus.usage.rawValue else { return nil }
        return CommandFailure(.usage, UsageError(error, words: words).text(columns: columns))
    }
}
