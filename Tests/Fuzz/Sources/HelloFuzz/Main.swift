import CFuzzer
import TLSHello

/// Passes libFuzzer's input to the reader of ClientHellos.
///
/// Fails if the reader traps, if its result depends on the segmentation, if it waits beyond its limit, or if a
/// description contains a client's control characters.
@main
enum HelloFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            HelloFuzz.read(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
    }

    private static func read(_ bytes: [UInt8]) {
        var reader = ClientHelloReader()
        let whole = reader.read(bytes)
        check(whole, of: bytes)
        for piece in [1, 3, 97] { check(read(bytes, piece: piece), is: whole) }
        // A recording has the hello as far as it was captured: the fields that are present are the same.
        if let seen = Hello(beginningOf: bytes[...]), case .complete(let hello) = whole {
            precondition(seen == hello, "\(seen) is not \(hello)")
        }
        _ = Hello(beginningOf: bytes.prefix(bytes.count / 2))
    }

    private static func check(_ reading: ClientHelloReader.Reading, of bytes: [UInt8]) {
        switch reading {
        case .incomplete:
            precondition(bytes.count < ClientHelloReader.longest, "waits beyond the limit")
        case .faulty(let fault):
            precondition("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(fault)")
        case .complete(let hello):
            precondition(hello.side == .client && hello.fault == nil)
            let name = hello.serverName ?? [0x61]
            precondition((1...Hello.longestName).contains(name.count))
            precondition(Hello.harmless(name).utf8.allSatisfy { (0x20..<0x7F).contains($0) && $0 != 0x22 })
            precondition(hello.applications.allSatisfy { (1...255).contains($0.count) })
        }
    }

    /// The result for bytes in pieces of `piece` bytes.
    private static func read(_ bytes: [UInt8], piece: Int) -> ClientHelloReader.Reading {
        var reader = ClientHelloReader()
        var count = 0
        while true {
            count = min(bytes.count, count + piece)
            let reading = reader.read(Array(bytes.prefix(count)))
            if reading != .incomplete || count == bytes.count { return reading }
        }
    }

    /// The result does not depend on the segmentation, except that a fault may show fewer of the first bytes.
    private static func check(_ reading: ClientHelloReader.Reading, is whole: ClientHelloReader.Reading) {
        if case .faulty(.noTLS) = reading, case .faulty(.noTLS) = whole { return }
        precondition(reading == whole, "in pieces \(reading), and \(whole) at once")
    }
}
