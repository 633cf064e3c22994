internal import Glibc

/// An address that this process listens on and is about to give up, for another part of it that may bind it, or one that
/// overlaps it, before that.
public struct HeldAddress: Hashable, Sendable {
    /// Where the socket is bound.
    public let address: SocketAddress
    /// The file of a Unix socket; nil while the file belongs to the process before this one.
    public let file: SocketFile?

    /// An address, with the file of a Unix socket.
    public init(_ address: SocketAddress, file: SocketFile? = nil) {
        self.address = address
        self.file = file
    }
}

extension SocketFile {
    /// The file of a Unix listener under another name, while a new listener has its path. Its socket still listens.
    public struct SetAside: Hashable, Sendable {
        private let original: SocketFile
        private let moved: SocketFile

        /// How many names are tried.
        private static let mostNames = 100

        /// Renames the file of a listener, so that another socket can be bound to its path. It is `PATH.replaced`, or
        /// `PATH.replaced1` and so on where there are other files of these names.
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

        /// The new listener is not wanted: the path leads to the old one again. The new one's file must be gone.
        public func restore() {
            do {
                try moved.rename(to: original)
            } catch {
                // Another process has removed the file, or has made one at the path, which stays.
                moved.remove()
            }
        }

        /// The old listener is not wanted any more.
        public func remove() {
            moved.remove()
        }
    }

    /// Binds a socket to a path as `bind` does, or to an abstract name, which has no file. If the path is that of one of
    /// `released`, that file is set aside first; the caller restores or removes it. When this throws, everything is as it
    /// was.
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
