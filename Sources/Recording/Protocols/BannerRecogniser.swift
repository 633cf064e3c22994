/// Recognises protocols whose server sends a greeting line: SSH (RFC 4253, section 4.2), SMTP (RFC 5321), FTP (RFC
/// 959), IMAP (RFC 9051), POP3 (RFC 1939).
enum BannerRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        if let ssh = ssh(down) ?? ssh(up) { return ssh }
        guard let greeting = down.firstLine(limit: 1024), greeting.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            return nil
        }
        let words = greeting.text
        if greeting.starts(with: "220 ") || greeting.starts(with: "220-") {
            let said = up.firstLine(limit: 1024)?.text.uppercased() ?? ""
            let family: Protocol.Family? =
                if ["EHLO", "HELO", "LHLO"].contains(where: said.hasPrefix) {
                    .smtp
                } else if ["USER", "AUTH", "FEAT", "SYST"].contains(where: said.hasPrefix) {
                    .ftp
                } else if words.uppercased().contains("SMTP") {
                    .smtp
                } else if words.uppercased().contains("FTP") {
                    .ftp
                } else {
                    nil
                }
            return family.map { Protocol($0, String(words.dropFirst(4))) }
        }
        if greeting.starts(with: "* OK") || greeting.starts(with: "* PREAUTH") {
            return Protocol(.imap, String(words.dropFirst(2)))
        }
        // A Redis reply may begin the same way. A POP3 server speaks first: its client has sent nothing or a POP3
        // command.
        if greeting.starts(with: "+OK"), greeting.count > 3 || isPOP3(up) {
            guard up.isEmpty || isPOP3(up) else { return nil }
            return Protocol(.pop3, String(words.dropFirst(4)))
        }
        return nil
    }

    private static func isPOP3(_ up: ArraySlice<UInt8>) -> Bool {
        let said = up.firstLine(limit: 1024)?.text.uppercased() ?? ""
        return ["USER ", "CAPA", "APOP ", "AUTH", "STLS", "QUIT"].contains(where: said.hasPrefix)
    }

    private static func ssh(_ bytes: ArraySlice<UInt8>) -> Protocol? {
        guard bytes.starts(with: "SSH-2.0-") || bytes.starts(with: "SSH-1.99-") || bytes.starts(with: "SSH-1.5-")
        else { return nil }
        let line = bytes.firstLine(limit: 256) ?? bytes.prefix(256)
        return Protocol(.ssh, line.dropFirst(4).text)
    }
}
