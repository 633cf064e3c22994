/// Recognises DNS over TCP by its first question (RFC 1035, sections 4.1 and 4.2.2).
enum DNSRecogniser {
    private static let types: [UInt16: String] = [
        1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 65: "HTTPS",
        251: "IXFR", 252: "AXFR", 255: "ANY",
    ]

    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard let length = up.number16(at: 0), length >= 17, let message = up.part(at: 2, count: Int(length)),
            // A standard query with one question and no answer.
            let flags = message.number16(at: 2), flags & 0xF800 == 0, message.number16(at: 4) == 1,
            message.number16(at: 6) == 0
        else { return nil }
        var labels: [String] = []
        var position = 12
        while let size = message.byte(at: position), size > 0 {
            guard size < 64, let label = message.part(at: position + 1, count: Int(size)), label.isPrintable else {
                return nil
            }
            labels.append(label.text)
            position += 1 + Int(size)
        }
        guard let type = message.number16(at: position + 1), let kind = message.number16(at: position + 3),
            kind == 1 || kind == 255
        else { return nil }
        return Protocol(.dns, "\(types[type] ?? "type \(type)") \(labels.joined(separator: "."))")
    }
}
