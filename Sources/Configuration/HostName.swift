internal import Sockets

/// Host names (RFC 952 and RFC 1123, section 2.1; underscores are allowed, because such names exist).
enum HostName {
    /// Whether the name is `localhost` (RFC 6761, section 6.3), in any case, with or without its root dot.
    static func isLocalhost(_ name: String) -> Bool {
        let name = name.lowercased()
        return name == "localhost" || name == "localhost."
    }

    /// The name, if it can be looked up.
    static func checked(_ name: String) throws(ValueError) -> String {
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw ValueError("\(quoted(name)) is not ASCII; write the name's ASCII form (xn--…)")
        }
        let labels = (name.last == "." ? name.dropLast() : name[...]).split(
            separator: ".", omittingEmptySubsequences: false)
        // The numbers-and-dots notations of inet_aton, such as 127.1 or 0x7f000001, are resolved by the C library as
        // addresses. They are never intended, and their meaning is surprising.
        if let last = labels.last, let first = last.first, first.isNumber,
            last.allSatisfy(\.isNumber) || last.lowercased().hasPrefix("0x")
        {
            throw ValueError("\(quoted(name)) is not an IPv4 address; write four numbers, such as 127.0.0.1")
        }
        guard name.utf8.count <= 253, labels.allSatisfy(isLabel) else {
            throw ValueError(
                "\(quoted(name)) is not a host name; its parts have 1 to 63 letters, digits and inner hyphens")
        }
        return name
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    }
}
