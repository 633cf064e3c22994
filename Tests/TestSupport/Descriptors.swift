internal import Glibc

/// The open descriptors of this process, with their targets.
enum Descriptors {
    /// Every descriptor and its target from /proc, without the one used for reading the list.
    static func now() -> [CInt: String] {
        guard let directory = opendir("/proc/self/fd") else { return [:] }
        defer { closedir(directory) }
        var found: [CInt: String] = [:]
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let fd = CInt(name), fd != dirfd(directory) else { continue }
            found[fd] = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                guard let base = buffer.baseAddress else { return "" }
                let count = readlink("/proc/self/fd/\(name)", base, buffer.count)
                return String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
            }
        }
        return found
    }

    /// Fails if other descriptors are open than before. A thread that is about to end gets some time to close its own.
    static func expect(_ before: [CInt: String], within patience: Duration) throws {
        let deadline = Deadline(in: patience)
        while true {
            let left = now().filter { before[$0.key] != $0.value }
            if left.isEmpty { return }
            guard !deadline.isOver else {
                let list = left.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
                throw TestFailure("descriptors left over: \(list)")
            }
            Deadline.letPass(.milliseconds(5))
        }
    }
}
