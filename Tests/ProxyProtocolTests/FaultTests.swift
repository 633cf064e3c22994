import ProxyProtocol
import Testing

/// The descriptions of faults.
@Suite struct FaultTests {
    @Test(
        arguments: [
            (
                .noHeader(beginning: Array("GET / HTTP/1.1\r\n".utf8)),
                "begins with \"GET / HTTP/1.1\\r\\n\", and so neither"
            ),
            (.noHeader(beginning: [0x16, 0x03, 0x01, 0xFF]), "begins with \"\\x16\\x03\\x01\\xff\""),
            (.noHeader(beginning: Array("\"\\\u{1B}]0;".utf8)), "begins with \"\\\"\\\\\\x1b]0;\""),
            (.lineTooLong, "no end of line within 107 bytes"), (.bareLineEnd, "CR without LF"),
            (.line, "but is not a line of version 1"), (.version(3), "the version 3"),
            (.command(9), "unassigned command 9"), (.family(0x0F), "unassigned family 0x0f"),
            (.tooLong(65_551), "65551 bytes long; 16384 are read at most"), (.addresses, "too short for its addresses"),
            (.extensions, "goes past its end or its bound"), (.checksum, "a CRC32C that is wrong"),
        ] as [(ProxyHeaderFault, String)])
    func fault_isSaidInWords_withoutAPeersControlBytes(_ fault: ProxyHeaderFault, _ words: String) {
        #expect("\(fault)".contains(words), "\(fault)")
        #expect("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }
}
