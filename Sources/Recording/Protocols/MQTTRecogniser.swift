/// Recognises MQTT by its CONNECT packet (MQTT 3.1.1 and 5.0, section 3.1).
enum MQTTRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard up.byte(at: 0) == 0x10 else { return nil }
        // The remaining length: seven bits per byte, at most four bytes.
        guard let last = (1...4).first(where: { up.byte(at: $0).map { $0 & 0x80 == 0 } ?? false }) else { return nil }
        let rest = up.rest(from: last + 1)
        guard let length = rest.number16(at: 0), let name = rest.part(at: 2, count: Int(length)),
            name.starts(with: "MQTT") || name.starts(with: "MQIsdp"), let level = rest.byte(at: 2 + Int(length))
        else { return nil }
        let version =
            switch level {
            case 3: "3.1"
            case 4: "3.1.1"
            case 5: "5.0"
            default: "level \(level)"
            }
        // Flags, keep-alive and, in version 5, properties precede the client identifier.
        var position = 2 + Int(length) + 4
        if level == 5 { position += 1 + Int(rest.byte(at: position) ?? 0) }
        guard let size = rest.number16(at: position), size > 0,
            let client = rest.part(at: position + 2, count: Int(size)), client.isPrintable
        else { return Protocol(.mqtt, version) }
        return Protocol(.mqtt, "\(version), client \(client.text)")
    }
}
