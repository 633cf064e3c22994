/// TLS by its ClientHello, with the server's name (RFC 6066, section 3), the version and the application protocols
/// (RFC 7301). The hello may lie in several records and segments.
enum TLSRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard isRecord(up), let message = handshake(in: up), message.byte(at: 0) == 1 else {
            guard up.isEmpty, isRecord(down), handshake(in: down)?.byte(at: 0) == 2 else { return nil }
            return Protocol(.tls, version(ofServerIn: down).map(behindItsName))
        }
        return Protocol(.tls, detail(of: message, down).map(behindItsName))
    }

    /// What stands in a ClientHello and the answer to it; also for protocols that turn to TLS later.
    static func detail(upgraded up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> String? {
        guard isRecord(up), let message = handshake(in: up), message.byte(at: 0) == 1 else { return nil }
        return detail(of: message, down)
    }

    private static func detail(of message: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> String? {
        let hello = Hello(message, isServers: false)
        let words = [hello.serverName, version(ofServerIn: down) ?? hello.version.flatMap(name), hello.applications]
        return words.compactMap { $0 }.joined(separator: ", ")
    }

    /// A detail as it reads behind the word TLS.
    private static func behindItsName(_ detail: String) -> String {
        detail.hasPrefix("TLS ") ? String(detail.dropFirst(4)) : detail
    }

    private static func version(ofServerIn down: ArraySlice<UInt8>) -> String? {
        guard isRecord(down), let message = handshake(in: down), message.byte(at: 0) == 2 else { return nil }
        return Hello(message, isServers: true).version.flatMap(name)
    }

    /// A record of type handshake and version 3.x (RFC 8446, section 5.1).
    private static func isRecord(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let length = bytes.number16(at: 3) else { return false }
        return bytes.byte(at: 0) == 22 && bytes.byte(at: 1) == 3 && (1...16_384).contains(length)
    }

    /// The first handshake message, as far as it is there, put together from its records.
    private static func handshake(in bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var message: [UInt8] = []
        var rest = bytes
        while isRecord(rest), let length = rest.number16(at: 3) {
            message += rest.rest(from: 5).prefix(Int(length))
            rest = rest.rest(from: 5 + Int(length))
        }
        guard let type = message[...].byte(at: 0), type == 1 || type == 2 else { return nil }
        return message[...]
    }

    private static func name(of version: UInt16) -> String? {
        switch version {
        case 0x0300: "SSL 3.0"
        case 0x0301: "TLS 1.0"
        case 0x0302: "TLS 1.1"
        case 0x0303: "TLS 1.2"
        case 0x0304: "TLS 1.3"
        default: nil
        }
    }
}

/// A ClientHello or ServerHello (RFC 8446, sections 4.1.2 and 4.1.3), as far as it is there.
private struct Hello {
    var version: UInt16?
    var serverName: String?
    var applications: String?

    init(_ message: ArraySlice<UInt8>, isServers: Bool) {
        version = message.number16(at: 4)
        guard let sessionLength = message.byte(at: 38) else { return }
        var place = 39 + Int(sessionLength)
        if isServers {
            place += 3
        } else {
            guard let suites = message.number16(at: place) else { return }
            place += 2 + Int(suites)
            guard let compressions = message.byte(at: place) else { return }
            place += 1 + Int(compressions)
        }
        guard let length = message.number16(at: place) else { return }
        var rest = message.rest(from: place + 2).prefix(Int(length))
        while let type = rest.number16(at: 0), let size = rest.number16(at: 2) {
            take(type, rest.rest(from: 4).prefix(Int(size)), isServers)
            rest = rest.rest(from: 4 + Int(size))
        }
    }

    private mutating func take(_ type: UInt16, _ value: ArraySlice<UInt8>, _ isServers: Bool) {
        switch type {
        case 0:
            guard value.byte(at: 2) == 0, let length = value.number16(at: 3),
                let name = value.part(at: 5, count: Int(length)), name.isPrintable
            else { return }
            serverName = name.text
        case 16:
            guard let length = value.byte(at: 2), let first = value.part(at: 3, count: Int(length)), first.isPrintable
            else { return }
            applications = first.text
        case 43 where isServers:
            version = value.number16(at: 0) ?? version
        case 43:
            // Reserved values, which keep servers from choking on new ones, are above the real ones (RFC 8701).
            let offered = stride(from: 1, to: value.count, by: 2).compactMap { value.number16(at: $0) }
            version = offered.filter { $0 <= 0x0304 }.max() ?? version
        default: break
        }
    }
}
