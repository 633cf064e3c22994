import CFuzzer
import Configuration
import Sockets
import Text

/// Passes libFuzzer's input to the readers of single values, including addresses and the SPECs of `forward`.
///
/// Fails if a reader traps, or if an accepted value reads differently after it is written.
@main
enum ValueFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            ValueFuzz.read(String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self))
            return 0
        }
    }

    private static func read(_ text: String) {
        _ = try? ForwardSpec.relays(text.split(separator: "\n").map(String.init), directory: "/fuzz")
        if let listen = try? ListenAddress(parsing: text, directory: "/fuzz") {
            precondition((try? ListenAddress(parsing: "\(listen)", directory: "/other")) == listen, "\(listen)")
        }
        if let upstream = try? UpstreamAddress(parsing: text, directory: "/fuzz") {
            precondition((try? UpstreamAddress(parsing: "\(upstream)", directory: "/other")) == upstream, "\(upstream)")
        }
        if let network = Network(text) { precondition(Network("\(network)") == network, "\(network)") }
        if let duration = try? DurationText.parse(text) {
            precondition((try? DurationText.parse(DurationText.text(of: duration))) == duration, "\(duration)")
        }
        if let size = try? SizeText.parse(text, in: 0...(.max)) {
            precondition((try? SizeText.parse(SizeText.text(of: size), in: 0...(.max))) == size, "\(size)")
        }
    }
}
