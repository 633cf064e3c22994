import CFuzzer
import ProxyProtocol
import Sockets

/// Feeds the reader of PROXY protocol headers with what libFuzzer makes up.
///
/// What is found is that it traps, that bytes mean something else when they come in pieces, or that a header does not say
/// the same when it is written and read again.
@main
enum ProxyFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            ProxyFuzz.read(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
    }

    private static func read(_ bytes: [UInt8]) {
        let whole = ProxyHeader.read(bytes)
        switch whole {
        case .incomplete:
            precondition(bytes.count < ProxyHeader.longest, "waits for more than it may")
            expectIncomplete(bytes, upTo: bytes.count)
        case .faulty(let fault):
            precondition("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(fault)")
            // Bytes in pieces are never taken for a header first.
            for count in cuts(bytes.count) {
                if case .complete = ProxyHeader.read(Array(bytes.prefix(count))) { preconditionFailure("\(fault)") }
            }
        case .complete(let header, let length):
            precondition(length > 0 && length <= min(bytes.count, ProxyHeader.longest))
            precondition(ProxyHeader.read(Array(bytes.prefix(length))) == whole, "what follows counts")
            expectIncomplete(bytes, upTo: length)
            _ = (header.uniqueID, header.authority, header.tlsVersion)
            write(header)
        }
    }

    private static func write(_ header: ProxyHeader) {
        // Without what version 1 cannot express, and without the addresses of unknown connections.
        guard let endpoints = header.endpoints else { return }
        // A path that is no text, or an abstract one that begins with a zero, has no second form.
        if header.version == .v1 || !endpoints.source.isUnix {
            let bytes = header.bytes
            precondition(ProxyHeader.read(bytes) == .complete(header, length: bytes.count), "\(header)")
        } else {
            _ = header.bytes
        }
    }

    private static func expectIncomplete(_ bytes: [UInt8], upTo length: Int) {
        for count in cuts(length) where count < length {
            precondition(ProxyHeader.read(Array(bytes.prefix(count))) == .incomplete, "\(count) of \(length)")
        }
    }

    /// Where bytes are cut: everywhere at the beginning, and here and there behind it.
    private static func cuts(_ count: Int) -> [Int] {
        Array(0..<min(count, 128)) + Array(stride(from: 128, to: max(count, 128), by: 97))
    }
}
