extension Character {
    /// The columns that a terminal gives it: 2 for East Asian wide characters and emoji, 0 for combining ones.
    ///
    /// Not `wcwidth`, which knows ASCII only in the C locale of a process that does not call `setlocale`.
    var columns: Int { isASCII ? 1 : unicodeScalars.reduce(0) { $0 + Self.columns(of: $1) } }

    private static func columns(of scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        // Vowels and final consonants of Hangul, which join the consonant before them.
        case 0x1160...0x11FF: return 0
        // Regional indicators: two are a flag.
        case 0x1F1E6...0x1F1FF: return 1
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        // The soft hyphen is shown.
        case .format: return scalar.value == 0xAD ? 1 : 0
        default: break
        }
        return scalar.properties.isEmojiPresentation || wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }

    /// The blocks of wide characters without the emoji (Unicode, EastAsianWidth.txt: W and F).
    private static let wide: [ClosedRange<UInt32>] = [
        // Hangul, brackets, radicals and CJK symbols, kana to CJK compatibility, ideographs, Yi.
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
        // Vertical and small forms, full-width forms and signs.
        0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        // Tangut, Khitan, historic kana, enclosed ideographs, ideographs of planes 2 and 3.
        0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]
}
