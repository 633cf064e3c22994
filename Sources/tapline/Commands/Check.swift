import ArgumentParser
import Configuration
import Sockets
import Terminal
import Text

/// `tapline check`: validates a configuration.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a configuration file.",
        discussion: """
            Exits with 0 if the file is valid. Otherwise it prints every error to standard error, one per line, \
            as path:line:column: message, or with --json as one object to standard output, and exits with 78. Included files \
            are checked, too. - is standard input; relative paths in it start at the working directory.

              tapline check tapline.yaml
              tapline check --json tapline.yaml | jq '.problems[].line'
            """)

    @OptionGroup var file: ConfigurationOptions

    @Flag(name: [.customShort("j"), .long], help: "Print the summary or the errors as one JSON object.")
    var json = false

    func run() throws {
        do {
            try check()
        } catch let errors as ConfigurationErrors where json {
            try fail(CheckReport.object(of: errors.problems))
        } catch let failure as CommandFailure where json && failure.status == .configuration {
            try fail(CheckReport.object(ofMissing: String(failure.message.trimmingPrefix("tapline: "))))
        }
    }

    private func check() throws {
        let environment = ProcessEnvironment.all
        let path = try file.find()
        let text =
            path == "-" ? try Self.standardInput() : try ConfigurationText(reading: path, environment: environment)
        let configuration = try Configuration.parse(text, environment: environment).configuration
        let includedFiles = text.includedPaths?.files.count
        let warnings = configuration.warnings(at: WallClock.now / 1_000_000_000)
        if json {
            return try write(
                CheckReport.object(
                    of: configuration, path: text.path, includedFiles: includedFiles, warnings: warnings))
        }
        try writeToStandardOutput(
            CheckReport.summary(
                of: configuration, path: text.path, includedFiles: includedFiles, warnings: warnings,
                columns: TerminalWidth.ofLines?(),
                showsUnicode: TerminalTraits(of: .standardOutput).showsUnicode))
    }

    private func write(_ object: JSONValue) throws {
        try writeToStandardOutput(object.line + "\n")
    }

    /// Ends with the status of a wrong configuration; the object says everything.
    private func fail(_ object: JSONValue) throws {
        try write(object)
        throw CommandFailure(.configuration, "")
    }

    /// The text on standard input, up to its end, or to where a configuration is too large.
    private static func standardInput() throws -> ConfigurationText {
        let input = InputFile.standardInput
        var bytes: [UInt8] = []
        while bytes.count <= Configuration.mostBytes {
            let more = try input.read(atMost: 64 << 10)
            if more.isEmpty { break }
            bytes += more
        }
        return ConfigurationText(path: "<stdin>", directory: workingDirectory(), bytes: bytes)
    }
}
