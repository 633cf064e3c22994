/// The sort keys of `tapline top`, in the order in which the key `s` changes them.
enum TopSort: String, CaseIterable, Hashable, Sendable {
    case rate, bytes, age, waits, client, relay

    /// The next one.
    var next: TopSort {
        let all = Self.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }
}
