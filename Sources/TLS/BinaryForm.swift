internal import Text

/// Files of certificates and keys that are not PEM. A value; any thread.
public enum BinaryForm: Hashable, Sendable {
    /// A certificate in DER form (`.der`, `.cer`).
    case certificate
    /// A private key in DER form.
    case key
    /// A PKCS #12 file (`.p12`, `.pfx`).
    case archive

    /// The form of a file's content; nil for PEM and everything else. All three begin with a SEQUENCE (X.690, section
    /// 8.9). The first element of a certificate's is another one, and that of the others a version: 3 for PKCS #12 (RFC
    /// 7292, section 4), 0 or 1 for keys.
    init?(of text: [UInt8]) {
        guard text.count > 64, text[0] == 0x30 else { return nil }
        // A long length says how many bytes it has.
        let start = text[1] & 0x80 == 0 ? 2 : 2 + Int(text[1] & 0x7F)
        guard start + 3 < text.count else { return nil }
        switch (text[start], text[start + 1], text[start + 2]) {
        case (0x30, _, _): self = .certificate
        case (0x02, 1, 3): self = .archive
        case (0x02, 1, 0), (0x02, 1, 1): self = .key
        default: return nil
        }
    }

    /// A clause without a subject, with the command that converts the file.
    func words(of path: String) -> String {
        let (from, to) = (ShellText.word(path), ShellText.word(Self.converted(path)))
        return switch self {
        case .certificate:
            "is a certificate in DER form; convert it to PEM: openssl x509 -inform der -in \(from) -out \(to)"
        case .key: "is a private key in DER form; convert it to PEM: openssl pkey -inform der -in \(from) -out \(to)"
        case .archive:
            "is a PKCS #12 file; convert it to PEM, which has the certificate and the key: openssl pkcs12 -in \(from) "
                + "-nodes -out \(to)"
        }
    }

    /// `server.der` becomes `server.pem`.
    private static func converted(_ path: String) -> String {
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        let stem = name.lastIndex(of: ".").map { path[..<$0] } ?? path[...]
        return "\(stem).pem" == path ? "\(path).pem" : "\(stem).pem"
    }
}
