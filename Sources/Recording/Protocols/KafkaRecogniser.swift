/// Recognises Kafka by the header of its first request (Kafka's protocol guide, "Request Header").
enum KafkaRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard let length = up.number32(at: 0), (12...100_000_000).contains(length), let key = up.number16(at: 4),
            key < 100, let version = up.number16(at: 6), version < 32, let correlation = up.number32(at: 8),
            let size = up.number16(at: 12), (1...255).contains(size), let client = up.part(at: 14, count: Int(size)),
            client.isPrintable
        else { return nil }
        // The header is weak evidence: the response must have the request's correlation ID, or the request be
        // ApiVersions, which clients send first.
        guard down.number32(at: 4).map({ $0 == correlation }) ?? (key == 18) else { return nil }
        return Protocol(.kafka, "client \(client.text)")
    }
}
