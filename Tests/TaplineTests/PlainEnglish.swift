import Glibc

/// Finds words of a closed list in a text, also over the end of a line, and in names in camel case.
enum PlainEnglish {
    /// Each is a sequence of words in lower case.
    static let phrases = [
        "whoever", "whomever", "nobody", "somebody", "so many", "anew", "for ever", "of late", "beside",
        "as good as none", "is told", "are told", "was told", "were told", "be told", "been told", "lets go of",
        "let go of", "letting go of", "there is to be known", "comes to the same", "lately", "taken nothing",
        "no plain file", "is there twice",
    ].map { phrase in phrase.split(separator: " ").map { Array($0.utf8) } }

    /// A word with the line on which it begins; a mark of punctuation is an empty word, which no phrase contains.
    private struct Word {
        let bytes: ArraySlice<UInt8>
        let line: Int
    }

    static func find(in bytes: [UInt8]) -> [(line: Int, phrase: String)] {
        let candidates = phrases.filter { contains(bytes, $0.max { $0.count < $1.count } ?? []) }
        guard !candidates.isEmpty else { return [] }
        let words = words(of: bytes)
        var found: [(line: Int, phrase: String)] = []
        for index in words.indices {
            for phrase in candidates where isEqual(words[index].bytes, phrase[0]) {
                let rest = words[index...].prefix(phrase.count)
                guard rest.count == phrase.count, zip(rest, phrase).allSatisfy({ isEqual($0.bytes, $1) }) else {
                    continue
                }
                let text = phrase.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
                found.append((words[index].line, text))
            }
        }
        return found
    }

    /// Whether bytes contain a word in any case. A quick check before the slow search, because most files contain none.
    private static func contains(_ bytes: [UInt8], _ word: [UInt8]) -> Bool {
        bytes.withUnsafeBufferPointer { text in
            guard var place = text.baseAddress else { return false }
            let end = place + text.count
            while end - place >= word.count {
                // The first letter in either case: the nearer of the two.
                let rest = end - place
                let lower = memchr(place, CInt(word[0]), rest).map { UnsafeRawPointer($0) }
                let limit = lower.map { $0 - UnsafeRawPointer(place) } ?? rest
                let upper = memchr(place, CInt(word[0] ^ 0x20), limit).map { UnsafeRawPointer($0) }
                guard let hit = upper ?? lower else { return false }
                let start = hit.assumingMemoryBound(to: UInt8.self)
                guard end - start >= word.count else { return false }
                let isHit = word.withUnsafeBufferPointer { word in
                    guard let first = word.baseAddress else { return false }
                    return strncasecmp(
                        hit.assumingMemoryBound(to: CChar.self),
                        UnsafeRawPointer(first).assumingMemoryBound(to: CChar.self), word.count) == 0
                }
                if isHit { return true }
                place = start + 1
            }
            return false
        }
    }

    private static func isEqual(_ word: ArraySlice<UInt8>, _ lower: [UInt8]) -> Bool {
        word.count == lower.count && zip(word, lower).allSatisfy { $0 | 0x20 == $1 }
    }

    private static func words(of bytes: [UInt8]) -> [Word] {
        var words: [Word] = []
        var line = 1
        var index = 0
        // The marks at the start of a line that continue a comment or a literal do not separate words.
        var isLineStart = true
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
                let end = endOfWord(bytes, index)
                words.append(Word(bytes: bytes[index..<end], line: line))
                (index, isLineStart) = (end, false)
                continue
            case UInt8(ascii: "\n"):
                (line, isLineStart) = (line + 1, true)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "_"), UInt8(ascii: "\\"), UInt8(ascii: "\""): break
            case UInt8(ascii: "/"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "+"):
                if !isLineStart { words.append(Word(bytes: [], line: line)) }
            default:
                words.append(Word(bytes: [], line: line))
                isLineStart = false
            }
            index += 1
        }
        return words
    }

    /// The end of a word at an index: before a capital letter next to a small one, or before other characters. So `ANew`
    /// is two words, and `HTTP` is one.
    private static func endOfWord(_ bytes: [UInt8], _ start: Int) -> Int {
        var index = start + 1
        while index < bytes.count {
            let byte = bytes[index]
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            guard isUpper || isSmall(byte) else { break }
            if isUpper, isSmall(bytes[index - 1]) || index + 1 < bytes.count && isSmall(bytes[index + 1]) { break }
            index += 1
        }
        return index
    }

    private static func isSmall(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
}
