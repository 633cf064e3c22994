/// An older process of this lineage, which lets its connections finish after another one took over. A value.
public struct Predecessor: Hashable, Sendable {
    /// Where its admin API answers meanwhile, for the processes after it: an abstract Unix socket.
    ///
    /// An abstract name has no permissions, so the server requires a token and accepts clients of its own user only,
    /// and the client checks that its server is the predecessor (SO_PEERCRED).
    public struct Access: Hashable, Sendable {
        /// The name, which starts with `@`.
        public let name: String
        /// The token of its requests.
        public let token: String

        /// Access with this name and token; nil where they cannot be the ones that a predecessor sends.
        public init?(name: String, token: String) {
            func isPlain(_ text: String) -> Bool {
                text.utf8.allSatisfy { byte in
                    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                        || byte == UInt8(ascii: "-")
                }
            }
            guard name.hasPrefix(Self.prefix), (1...64).contains(name.utf8.count), isPlain(String(name.dropFirst())),
                (32...128).contains(token.utf8.count), isPlain(token)
            else { return nil }
            self.name = name
            self.token = token
        }

        private static let prefix = "@tapline-"

        private init(checkedName: String, checkedToken: String) {
            name = checkedName
            token = checkedToken
        }

        /// The access to a process, with a name and a token that no other process can guess.
        public static func random(of process: Int32) -> Access {
            func digits() -> String { String(UInt64.random(in: .min ... .max), radix: 16) }
            let token = (0..<4).map { _ in digits() }.joined(separator: "-")
            // Leading zeros are omitted; the padding keeps the least length.
            return Access(
                checkedName: "\(prefix)\(process)-\(digits())",
                checkedToken: token + String(repeating: "0", count: max(0, 32 - token.utf8.count)))
        }
    }

    /// Its process id.
    public let id: Int32
    /// Nil: its version does not offer it, or its admin API was off.
    public let access: Access?

    /// A predecessor.
    public init(id: Int32, access: Access?) {
        self.id = id
        self.access = access
    }
}
