import CFuzzer
import Tunnel

/// Passes libFuzzer's input to the readers of SOCKS 5 and HTTP CONNECT, as a server and as a client.
///
/// Fails if a reader traps, if its result depends on the segmentation, or if a description contains a peer's control
/// characters.
@main
enum TunnelFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            let bytes = Array(UnsafeBufferPointer(start: data, count: size))
            TunnelFuzz.serve(bytes)
            for kind in [TunnelDialogue.Kind.socks5, .http] {
                for login in [nil, TunnelDialogue.Credentials(user: "user", password: "password")] {
                    TunnelFuzz.dial(bytes, kind, login)
                }
            }
            return 0
        }
    }

    /// The result of a request in pieces of `piece` bytes.
    private static func request(_ bytes: [UInt8], piece: Int) -> (target: TunnelTarget?, isFaulty: Bool) {
        var reader = TunnelRequestReader()
        var (start, end) = (0, 0)
        while true {
            switch end > start ? reader.read(Array(bytes[start..<end])) : .incomplete {
            case .incomplete:
                guard end < bytes.count else { return (nil, false) }
                end = min(bytes.count, end + piece)
            case .answer(_, let length):
                precondition(length > 0 && start + length <= end)
                start += length
            case .complete(let target, let length):
                precondition(length > 0 && start + length <= end && target.port > 0)
                precondition(target.host.utf8.allSatisfy { (0x21..<0x7F).contains($0) }, target.host)
                return (target, false)
            case .faulty(let fault):
                precondition("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(fault)")
                if let form = reader.reply { _ = form.failure(TunnelFailure(fault)) }
                return (nil, true)
            }
        }
    }

    private static func serve(_ bytes: [UInt8]) {
        let whole = request(bytes, piece: max(1, bytes.count))
        let byByte = request(bytes, piece: 1)
        precondition(
            whole.target == byByte.target && whole.isFaulty == byByte.isFaulty, "the result depends on the segmentation"
        )
    }

    private static func dial(_ bytes: [UInt8], _ kind: TunnelDialogue.Kind, _ login: TunnelDialogue.Credentials?) {
        var dialogue = TunnelDialogue(kind, to: TunnelTarget(host: "a.example", port: 443), credentials: login)
        precondition(!dialogue.start.isEmpty)
        var rest = bytes[...]
        while !rest.isEmpty {
            switch dialogue.read(Array(rest)) {
            case .incomplete:
                return
            case .send(let message, let length):
                precondition(!message.isEmpty && length > 0 && length <= rest.count)
                rest = rest.dropFirst(length)
            case .complete(let length):
                precondition(length > 0 && length <= rest.count)
                return
            case .failed(let fault):
                precondition("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(fault)")
                return
            }
        }
    }
}
