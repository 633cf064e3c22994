internal import Glibc

extension SocketFile {
    /// The file of a Unix listener, renamed while a new listener uses its path. Its socket still listens.
    public struct SetAside: Hashable, Sendable {
        private let original: SocketFile
        private let moved: SocketFile

        /// The number of names to try.
        private static let mostNames = 100

        /// Renames a listener's file to `PATH.replaced`, or `PATH.replaced1` and so on if that name exists, so that
        /// another socket can be bound to its path.
        fileprivate init(_ file: SocketFile) throws(Errno) {
            original = file
            for number in 0..<Self.mostNames {
                let moved = file.moved(to: file.path + ".replaced" + (number == 0 ? "" : "\(number)"))
                do {
                    try file.rename(to: moved)
                    self.moved = moved
                    return
                } catch {
                    guard error.code == EEXIST else { throw error }
                }
            }
            throw Errno(EEXIST)
        }

        /// Renames the file back because the new listener is rejected. The new listener's file must have been removed.
        public func restore() {
            do {
                try moved.rename(to: original)
            } catch {
                // Another process has removed the file, or has created one at the path, which stays.
                moved.remove()
            }
        }

        /// Removes the file because the new listener replaces the old one.
        public func remove() {
            moved.remove()
        }
    }

    /// Binds a socket to a path as `bind` does, or to an abstract name, which has no file. If the path belongs to one
    /// of `released`, that file is set aside first; the caller restores or removes it. If it throws, nothing changed.
    public static func bind(
        _ socket: borrowing Socket, path: String, mode: UInt16, released: [HeldAddress]
    ) throws(Errno) -> (file: SocketFile?, replaced: SetAside?) {
        let address = SocketAddress.unix(path: path)
        guard !address.isAbstract else {
            try socket.bind(to: address, sharing: false)
            return (nil, nil)
        }
        guard let held = released.first(where: { $0.address == address })?.file else {
            return (try bind(socket, path: path, mode: mode), nil)
        }
        let replaced = try SetAside(held)
        do {
            return (try bind(socket, path: path, mode: mode), replaced)
        } catch {
            replaced.restore()
            throw error
        }
    }
}
