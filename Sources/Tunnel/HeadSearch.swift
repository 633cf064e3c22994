/// The search for the empty line that ends an HTTP head, in bytes that arrive in pieces: each byte is examined once, however
/// small the pieces are. Pure.
struct HeadSearch: Hashable, Sendable {
    /// How many bytes were examined.
    private(set) var examined = 0
    /// The complete lines before that.
    private var lines: [Range<Int>] = []
    /// Where the current line begins.
    private var start = 0

    /// Continues in the same bytes, of which there may be more now. Returns the lines before the empty one, and the length
    /// of the head; nil while it is incomplete.
    mutating func head(
        in bytes: [UInt8], limit: Int
    ) throws(TunnelFault) -> (lines: [ArraySlice<UInt8>], length: Int)? {
        while examined < min(bytes.count, limit) {
            let position = examined
            examined += 1
            let isAfterCR = position > 0 && bytes[position - 1] == 0x0D
            guard bytes[position] == 0x0A else {
                if isAfterCR { throw .bareLineEnd }
                continue
            }
            guard isAfterCR else { throw .bareLineEnd }
            if start == position - 1 { return (lines.map { bytes[$0] }, position + 1) }
            lines.append(start..<position - 1)
            start = position + 1
        }
        if bytes.count >= limit { throw .headTooLong }
        return nil
    }
}
