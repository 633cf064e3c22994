internal import CLibuv
internal import Glibc
internal import Sockets

/// Watches a directory: reports entries that are created, deleted, written to or get other attributes.
///
/// It watches a directory and not a file, because a watch on a file follows the old file when another one replaces it
/// (inotify(7)). When the directory itself is deleted or moved, its own last name is reported, and nothing after that.
public final class DirectoryWatch: Handle {
    /// Why a directory cannot be watched.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The user's limit of watches is reached (`ENOSPC`).
        case watchLimit
        /// The user's limit of inotify instances, or a limit of descriptors, is reached (`EMFILE`, `ENFILE`).
        case instanceLimit
        /// It does not exist or is not a directory (`ENOENT`, `ENOTDIR`).
        case noDirectory
        /// Another error, such as missing permission.
        case other(UVError)

        /// The cause and, where possible, what to do about it.
        public var description: String {
            switch self {
            case .watchLimit: "the limit of inotify watches is reached; raise the sysctl fs.inotify.max_user_watches"
            case .instanceLimit:
                "the limit of inotify instances or of open files is reached; raise the sysctl "
                    + "fs.inotify.max_user_instances, or `ulimit -n`"
            case .noDirectory: "the directory does not exist"
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

    /// Starts watching. The action gets the name of the changed entry, or nil if the system does not supply it; changes
    /// may be merged or reported more than once. The action is kept until `close`.
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
