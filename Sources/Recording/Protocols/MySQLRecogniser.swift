/// Recognises MySQL and MariaDB by the server's greeting (the documentation's "Protocol::HandshakeV10").
enum MySQLRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        // Three bytes of length, one of sequence, then the protocol version.
        guard let head = down.number32(at: 0, .little), head >> 24 == 0, let kind = down.byte(at: 4) else { return nil }
        let length = head & 0xFF_FFFF
        if kind == 0xFF, length > 3, length < 512, let code = down.number16(at: 5, .little),
            (1000..<5000).contains(code)
        {
            return Protocol(.mySQL, "refused with error \(code)")
        }
        guard kind == 10, length > 20, length < 1024, let version = down.textToNUL(from: 5), !version.isEmpty,
            version.utf8.count < 128, version.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
        else { return nil }
        return Protocol(.mySQL, version)
    }
}
