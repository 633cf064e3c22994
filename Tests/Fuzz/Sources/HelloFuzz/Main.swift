import CFuzzer
import TLSHello

/// Feeds the reader of ClientHellos with what libFuzzer makes up.
///
/// What is found is that it traps, that bytes mean something else when they come in pieces, that it waits for more than it
/// may, or that it tells of a client what could do harm.
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
        // What a recording has of it, cut wherever it is: it is the same hello as far as it goes.
        if let seen = Hello(beginningOf: bytes[...]), case .complete(let hello) = whole {
            precondition(seen == hello, "\(seen) is not \(hello)")
        }
        _ = Hello(beginningOf: bytes.prefix(bytes.count / 2))
    }

    private static func check(_ reading: ClientHelloReader.Reading, of bytes: [UInt8]) {
        switch reading {
        case .incomplete:
            precondition(bytes.count < ClientHelloReader.longest, "waits for more than it may")
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

    /// Reads as much as it takes, in pieces.
    private static func read(_ bytes: [UInt8], piece: Int) -> ClientHelloReader.Reading {
        var reader = ClientHelloReader()
        var count = 0
        while true {
            count = min(bytes.count, count + piece)
            let reading = reader.read(Array(bytes.prefix(count)))
            if reading != .incomplete || count == bytes.count { return reading }
        }
    }

    /// In pieces it comes to the same, but that less of what is no TLS may be there to be shown.
    private static func check(_ reading: ClientHelloReader.Reading, is whole: ClientHelloReader.Reading) {
        if case .faulty(.noTLS) = reading, case .faulty(.noTLS) = whole { return }
        precondition(reading == whole, "in pieces \(reading), and \(whole) at once")
    }
}
