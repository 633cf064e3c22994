/// Recognises AMQP by the client's protocol header (AMQP 0-9-1, section 4.2.2; AMQP 1.0, section 2.2).
enum AMQPRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard up.starts(with: "AMQP"), let kind = up.byte(at: 4), let major = up.byte(at: 5),
            let minor = up.byte(at: 6), let revision = up.byte(at: 7)
        else { return nil }
        switch (kind, major) {
        case (0, 0): return Protocol(.amqp, "\(major)-\(minor)-\(revision)")
        case (2, 1): return Protocol(.amqp, "\(major).\(minor) over TLS")
        case (3, 1): return Protocol(.amqp, "\(major).\(minor) with SASL")
        default: return Protocol(.amqp, "\(major).\(minor)")
        }
    }
}
