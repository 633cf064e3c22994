import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// A running program with its output lines and its standard input. Started and ended by a `Scene`.
final class Program: Sendable {
    /// How a program ended.
    enum Ending: Equatable {
        /// It exited with this status.
        case exited(CInt)
        /// This signal terminated it.
        case signalled(CInt)
    }

    /// The command, for messages.
    let name: String
    /// The lines of standard output.
    let output = Lines()
    /// The lines of standard error.
    let errors = Lines()

    private let started = Promise<Execution<CustomWriteInput, SequenceOutput, SequenceOutput>>()
    private let ended = Promise<Ending>()
    private let input: AsyncStream<String>.Continuation

    /// Starts it, with these variables in addition to those of the test.
    init(_ words: [String], variables: [String: String]) throws {
        // A program that has exited must not end the tests with SIGPIPE.
        signal(SIGPIPE, SIG_IGN)
        name = words.joined(separator: " ")
        guard let path = Programs.path(words[0]) else { throw Failure("\(words[0]) is not installed") }
        let (texts, input) = AsyncStream.makeStream(of: String.self)
        self.input = input
        // SwiftPM sets NO_COLOR for tests whose output is no terminal.
        var environment: [Environment.Key: String?] = [
            "NO_COLOR": nil, "FORCE_COLOR": nil, "CLICOLOR": nil, "CLICOLOR_FORCE": nil,
        ]
        for (key, value) in variables { environment[Environment.Key(stringLiteral: key)] = value }
        let configuration = Configuration(
            executable: .path(FilePath(path)), arguments: Arguments(Array(words.dropFirst())),
            environment: .inherit.updating(environment))
        Task { [self] in
            do {
                let result = try await Subprocess.run(
                    configuration, input: .inputWriter, output: .sequence, error: .sequence
                ) { execution in
                    started.settle(.success(execution))
                    await talk(execution, texts)
                }
                switch result.terminationStatus {
                case .exited(let status): ended.settle(.success(.exited(status)))
                case .signaled(let signal): ended.settle(.success(.signalled(signal)))
                }
            } catch {
                started.settle(.failure(error))
                ended.settle(.failure(error))
            }
        }
    }

    private func talk(
        _ execution: Execution<CustomWriteInput, SequenceOutput, SequenceOutput>, _ texts: AsyncStream<String>
    ) async {
        await withTaskGroup { group in
            group.addTask {
                for await text in texts {
                    // Whether it still listens shows in its answers.
                    _ = try? await execution.standardInputWriter.write(text)
                }
                try? await execution.standardInputWriter.finish()
            }
            group.addTask { await self.collect(execution.standardError, into: self.errors) }
            await collect(execution.standardOutput, into: output)
            input.finish()
        }
    }

    private func collect(_ pieces: SubprocessOutputSequence, into lines: Lines) async {
        do {
            for try await piece in pieces { lines.append(piece.withUnsafeBytes { Array($0) }) }
        } catch {
            lines.append(Array("(cannot be read: \(error))\n".utf8))
        }
        lines.end()
    }

    /// Its process ID, once it runs.
    func pid() async throws -> pid_t {
        try await running().processIdentifier.value
    }

    private func running() async throws -> Execution<CustomWriteInput, SequenceOutput, SequenceOutput> {
        try await started.value(within: .seconds(60)) { [name] in Failure("\(name) did not start") }
    }

    /// Writes text to its standard input.
    func write(_ text: String) {
        input.yield(text)
    }

    /// Ends its standard input.
    func finishInput() {
        input.finish()
    }

    /// Sends a signal, if it still runs.
    func send(_ signal: CInt) async throws {
        guard ended.settled == nil else { return }
        try await running().send(signal: Signal(rawValue: signal))
    }

    /// Stops it, as a debugger does at a breakpoint, and waits until it has stopped.
    func stopRunning() async throws {
        try await StoppedProcess.stop(pid())
    }

    /// Continues it.
    func goOn() async throws {
        try await send(SIGCONT)
    }

    /// Waits until it has ended and all of its output is read.
    @discardableResult
    func exit(within limit: Duration = .seconds(60)) async throws -> Ending {
        try await ended.value(within: limit) { [name, errors] in
            Failure("\(name) did not end within \(limit); it said:\n\(errors.all.suffix(12).joined(separator: "\n"))")
        }
    }

    /// Kills it, and waits for its end.
    func kill() async {
        input.finish()
        try? await send(SIGKILL)
        _ = try? await exit(within: .seconds(20))
    }
}
