internal import CLibuv
internal import Glibc
internal import Sockets

/// Tells of changes in a directory: which of its entries appeared, vanished, were written to or got other attributes.
///
/// It watches a directory and not a file, because a watch on a file sees the file that is replaced and nothing of the
/// one in its place (inotify(7)). When the directory itself is deleted or moved away its own last name is told, and
/// from then on nothing.
public final class DirectoryWatch: Handle {
    /// Why a directory cannot be watched.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The user has as many watches as the system allows (`ENOSPC`).
        case watchLimit
        /// The user has as many inotify instances as the system allows, or the process as many descriptors (`EMFILE`,
        /// `ENFILE`).
        case instanceLimit
        /// It is not there, or is no directory (`ENOENT`, `ENOTDIR`).
        case noDirectory
        /// Something else, such as a directory that may not be read.
        case other(UVError)

        /// What it is and, where something can be done about it, what.
        public var description: String {
            switch self {
            case .watchLimit: "the limit of inotify watches is spent; raise the sysctl fs.inotify.max_user_watches"
            case .instanceLimit:
                "the limit of inotify instances or of open files is spent; raise the sysctl "
                    + "fs.inotify.max_user_instances, or `ulimit -n`"
            case .noDirectory: "there is no such directory"
            case .other(let error): "\(error) (\(error.name))"
            }
        }

        init(_ error: UVError) {
            switch error.errno?.code {
            case ENOSPC: self = .watchLimit
            case EMFILE, ENFILE: self = .instanceLimit
            case ENOENT, ENOTDIR: self = .noDirectory
            default: self = .other(error)
            }
        }
    }

    private var action: ((String?) -> Void)?

    /// Watches a directory from now on. The action gets the name of an entry, or nil when the system does not say of
    /// which; several changes may be told as one, and one as several. It is kept until `close`.
    public init(loop: EventLoop, path: String, action: @escaping (String?) -> Void) throws(Failure) {
        self.action = action
        do {
            try super.init(UV_FS_EVENT, loop: loop) {
                uv_fs_event_init(loop.raw, $0.assumingMemoryBound(to: uv_fs_event_t.self))
            }
        } catch {
            throw Failure(error)
        }
        let result = uv_fs_event_start(
            memory.assumingMemoryBound(to: uv_fs_event_t.self),
            { handle, name, _, _ in
                guard let data = handle?.pointee.data else { return }
                Unmanaged<DirectoryWatch>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.changed(name) }
            }, path, 0)
        guard result == 0 else {
            close()
            throw Failure(UVError(code: result))
        }
    }

    private func changed(_ name: UnsafePointer<CChar>?) {
        action?(name.map { String(cString: $0) })
    }

    override func willClose() {
        action = nil
    }
}
