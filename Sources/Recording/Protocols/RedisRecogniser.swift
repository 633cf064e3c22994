/// Recognises Redis by a command in an array of strings, or by an inline command with a matching reply (Redis, "RESP").
enum RedisRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        if let command = command(up) { return Protocol(.redis, command) }
        // An inline command looks like any text line, so the reply must be one of Redis too.
        guard let line = up.firstLine(limit: 512), line.isPrintable, let answer = down.firstLine(limit: 512),
            let mark = answer.first, [UInt8]("+-:$*".utf8).contains(mark),
            let word = line.split(separator: UInt8(ascii: " ")).first?.text.uppercased(),
            ["PING", "GET", "SET", "INFO", "AUTH", "QUIT", "SELECT", "HELLO", "INCR", "DEL"].contains(word)
        else { return nil }
        return Protocol(.redis, word)
    }

    /// The first string of an array of strings: `*2\r\n$3\r\nGET\r\n…`.
    private static func command(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.first == UInt8(ascii: "*"), let first = bytes.firstLine(limit: 16),
            let count = Int(first.dropFirst().text), (1...1_000_000).contains(count)
        else { return nil }
        let rest = bytes.rest(from: first.count + 2)
        guard rest.first == UInt8(ascii: "$"), let second = rest.firstLine(limit: 16),
            let length = Int(second.dropFirst().text), (1...64).contains(length)
        else { return nil }
        let name = rest.rest(from: second.count + 2).prefix(length)
        return name.isPrintable ? name.text.uppercased() : nil
    }
}
