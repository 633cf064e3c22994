import CFuzzer
import Recording
import Sockets

/// Passes libFuzzer's input to the recognition of protocols. The first two bytes are the length of the client's part;
/// the rest is the server's.
///
/// Fails if it traps or never ends, or if its result exceeds its limit.
@main
enum ProtocolFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            ProtocolFuzz.read(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
    }

    /// The bytes as messages of PostgreSQL, in pieces of a size that the input chooses.
    private static func describe(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) {
        var conversation = PostgreSQLConversation()
        let size = max(8, Int(up.first ?? 0))
        var (sent, received) = (up, down)
        while !sent.isEmpty || !received.isEmpty {
            for line in conversation.describe(.up, sent.prefix(size)) ?? [] { precondition(line.utf8.count < 65_536) }
            for line in conversation.describe(.down, received.prefix(size)) ?? [] {
                precondition(line.utf8.count < 65_536)
            }
            sent = sent.dropFirst(size)
            received = received.dropFirst(size)
        }
    }

    private static func read(_ input: [UInt8]) {
        guard input.count >= 2 else { return }
        let border = min(Int(input[0]) << 8 | Int(input[1]), input.count - 2)
        let bytes = input.dropFirst(2)
        let known = Protocol.recognise(up: Array(bytes.prefix(border)), down: Array(bytes.dropFirst(border)))
        precondition(known.detail?.count ?? 0 <= 200, "\(known)")
        describe(bytes.prefix(border), bytes.dropFirst(border))
        precondition((known.family == .nothing) == bytes.isEmpty, "\(known)")
    }
}
