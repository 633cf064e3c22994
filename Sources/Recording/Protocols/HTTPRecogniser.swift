/// Recognises HTTP/1 by request line and status line (RFC 9112, sections 3 and 4), HTTP/2 by its preface (RFC 9113,
/// section 3.4).
enum HTTPRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        if up.starts(with: "PRI * HTTP/2.0\r\n") { return Protocol(.http2, "with prior knowledge") }
        let request = request(up)
        let status = status(down)
        guard request != nil || (status != nil && up.isEmpty) else { return nil }
        return Protocol(.http, [request, status].compactMap { $0 }.joined(separator: " "))
    }

    /// Method and target.
    private static func request(_ bytes: ArraySlice<UInt8>) -> String? {
        // The line of a long target is truncated: the method and the start of the target suffice.
        let line = bytes.firstLine(limit: 16_384) ?? bytes.prefix(2048)
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let isWhole = bytes.firstLine(limit: 16_384) != nil
        guard let method = parts.first, (3...16).contains(method.count), method.allSatisfy(isMethodCharacter),
            parts.count == 3 ? parts[2].starts(with: "HTTP/1.") : parts.count == 2 && !isWhole && line.count > 256,
            let target = parts.dropFirst().first, !target.isEmpty
        else { return nil }
        return "\(method.text) \(target.prefix(120).text)"
    }

    private static func status(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.starts(with: "HTTP/1."), bytes.byte(at: 8) == UInt8(ascii: " "),
            let code = bytes.part(at: 9, count: 3), code.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return code.text
    }

    /// Methods are tokens; those in use consist of upper-case letters and hyphens.
    private static func isMethodCharacter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "-")
    }
}
