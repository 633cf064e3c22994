import CFuzzer
import Configuration

/// Feeds the reader of configurations, and that of requests to record, with what libFuzzer makes up.
///
/// What is found is that it traps, never ends, reads one text in two ways, or refuses it without saying why and where.
@main
enum ConfigurationFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            ConfigurationFuzz.read(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
    }

    private static func read(_ bytes: [UInt8]) {
        let first = outcome(bytes)
        precondition(first == outcome(bytes), "one text, two configurations")
        if case .failure(let errors) = first { check(errors, bytes) }
        do {
            _ = try RecordSettings.parse(bytes, changing: nil, directory: "/fuzz")
        } catch {
            check(error, bytes)
        }
    }

    private static func outcome(_ bytes: [UInt8]) -> Result<Configuration, ConfigurationErrors> {
        Result { () throws(ConfigurationErrors) in
            let text = ConfigurationText(path: "fuzz.yaml", directory: "/fuzz", bytes: bytes)
            return try Configuration.parse(text, environment: ["NAME": "a", "PORT": "8080", "EMPTY": ""]).configuration
        }
    }

    private static func check(_ errors: ConfigurationErrors, _ bytes: [UInt8]) {
        precondition(!errors.problems.isEmpty, "refused without a reason")
        // YAML's line breaks are also CR, NEL, LS and PS: no more lines than bytes, and the one behind the last.
        for problem in errors.problems {
            precondition(!problem.message.isEmpty, "a reason without words")
            guard let mark = problem.mark else { continue }
            precondition(mark.line >= 1 && mark.column >= 1 && mark.line <= bytes.count + 1, "\(problem)")
        }
    }
}
