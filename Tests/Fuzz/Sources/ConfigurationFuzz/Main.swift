import CFuzzer
import Configuration

/// Passes libFuzzer's input to the readers of configurations and of requests to record.
///
/// Fails if a reader traps or never ends, if one text has two meanings, or if a text is refused without a reason and a
/// position.
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
        precondition(first == outcome(bytes), "one text gave two configurations")
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
        // YAML's line breaks include CR, NEL, LS and PS: at most one line more than bytes.
        for problem in errors.problems {
            precondition(!problem.message.isEmpty, "an empty message")
            guard let mark = problem.mark else { continue }
            precondition(mark.line >= 1 && mark.column >= 1 && mark.line <= bytes.count + 1, "\(problem)")
        }
    }
}
