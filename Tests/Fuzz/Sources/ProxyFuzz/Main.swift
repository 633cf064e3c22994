import CFuzzer
import ProxyProtocol
import Sockets

/// Passes libFuzzer's input to the reader of PROXY protocol headers.
///
/// Fails if the reader traps, if its result depends on the segmentation, or if a header changes when it is written and
/// read again.
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
            precondition(bytes.count < ProxyHeader.longest, "waits beyond the limit")
            expectIncomplete(bytes, upTo: bytes.count)
        case .faulty(let fault):
            precondition("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(fault)")
            // A prefix of the bytes must not be read as a header.
            for count in cuts(bytes.count) {
                if case .complete = ProxyHeader.read(Array(bytes.prefix(count))) { preconditionFailure("\(fault)") }
            }
        case .complete(let header, let length):
            precondition(length > 0 && length <= min(bytes.count, ProxyHeader.longest))
            precondition(
                ProxyHeader.read(Array(bytes.prefix(length))) == whole, "the bytes after the header changed it")
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

    /// Where to cut the bytes: after each of the first ones, and at some positions behind them.
    private static func cuts(_ count: Int) -> [Int] {
        Array(0..<min(count, 128)) + Array(stride(from: 128, to: max(count, 128), by: 97))
    }
}
