import ProxyProtocol
import Testing

/// The descriptions of faults.
@Suite struct FaultTests {
    @Test(
        arguments: [
            (
                .noHeader(beginning: Array("GET / HTTP/1.1\r\n".utf8)),
                "begins with \"GET / HTTP/1.1\\r\\n\", which is neither"
            ),
            (.noHeader(beginning: [0x16, 0x03, 0x01, 0xFF]), "begins with \"\\x16\\x03\\x01\\xff\""),
            (.noHeader(beginning: Array("\"\\\u{1B}]0;".utf8)), "begins with \"\\\"\\\\\\x1b]0;\""),
            (.lineTooLong, "no end of line within 107 bytes"), (.bareLineEnd, "CR without LF"),
            (.line, "is not a valid version 1 line"), (.version(3), "the version number 3"),
            (.command(9), "unassigned command 9"), (.family(0x0F), "unassigned family 0x0f"),
            (.tooLong(65_551), "of 65551 bytes; the limit is 16384"), (.addresses, "too short for its addresses"),
            (.extensions, "beyond its end or its maximum length"), (.checksum, "a wrong CRC32C"),
        ] as [(ProxyHeaderFault, String)])
    func fault_isSaidInWords_withoutAPeersControlBytes(_ fault: ProxyHeaderFault, _ words: String) {
        #expect("\(fault)".contains(words), "\(fault)")
        #expect("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }
}
