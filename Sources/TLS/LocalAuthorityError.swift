public import Sockets
internal import Text

/// Why a user's local certificate authority cannot be used, and what to do about it. A value; any thread.
public enum LocalAuthorityError: Error, Hashable, Sendable {
    /// No variable says where a user's state is kept.
    case noPlace
    /// The path is a symbolic link, or not a folder.
    case notAFolder(String)
    /// The path is a symbolic link, or not a regular file.
    case notAFile(String)
    /// Another user owns it.
    case foreign(String, user: UInt32, folder: String)
    /// Others may change it.
    case writable(String, mode: UInt32)
    /// Others may read the key.
    case exposed(String, mode: UInt32, folder: String)
    /// One of the two files is missing.
    case incomplete(missing: String, folder: String)
    /// The folder has other files only.
    case occupied(String)
    /// The files have no authority that can be used now.
    case invalid(String, TLSCredentialError, folder: String)
    /// It cannot be read.
    case unreadable(String, Errno)
    /// It cannot be created.
    case notCreated(String, Errno)
    /// OpenSSL has failed.
    case failed(TLSCredentialError)

    /// Whether it is an operating-system error.
    public var isOfSystem: Bool {
        switch self {
        case .unreadable, .notCreated: true
        default: false
        }
    }
}

extension LocalAuthorityError: CustomStringConvertible {
    /// A sentence without a full stop that names the file and the remedy.
    public var description: String {
        switch self {
        case .noPlace:
            "no folder for the local CA: neither XDG_STATE_HOME nor HOME is an absolute path; set one of them"
        case .notAFolder(let path): "\(quoted(path)) is a symbolic link or not a folder; put the folder itself there"
        case .notAFile(let path): "\(quoted(path)) is a symbolic link or not a regular file; put the file itself there"
        case .foreign(let path, let user, let folder):
            "\(quoted(path)) belongs to the user with the id \(user); set XDG_STATE_HOME to a folder of your own, or run: "
                + "sudo chown -R \"$USER\" \(ShellText.word(folder))"
        case .writable(let path, let mode):
            "\(quoted(path)) can be changed by other users (mode \(octal(mode))); run: chmod go-w \(ShellText.word(path))"
        case .exposed(let path, let mode, let folder):
            "\(quoted(path)) can be read by other users (mode \(octal(mode))), who could issue certificates that your "
                + "programs trust; if they have not read it, run: chmod 600 \(ShellText.word(path)); otherwise \(again(folder))"
        case .incomplete(let missing, let folder): "\(quoted(missing)) is missing; restore it, or \(again(folder))"
        case .occupied(let path): "\(quoted(path)) has other files, but no ca.pem and ca.key; move them away"
        case .invalid(let path, let error, let folder): "\(quoted(path)) \(error); \(again(folder))"
        case .unreadable(let path, let error): "\(quoted(path)) cannot be read: \(error)"
        case .notCreated(let path, let error):
            "\(quoted(path)) cannot be created: \(error); set XDG_STATE_HOME to a folder that you can write to"
        case .failed(let error): "the local CA \(error)"
        }
    }

    private func quoted(_ path: String) -> String { "`\(path.withVisibleControls)`" }

    private func octal(_ mode: UInt32) -> String { "0\(String(mode, radix: 8))" }

    private func again(_ folder: String) -> String {
        "remove \(quoted(folder)), and the next start creates another CA, which you must trust again"
    }
}
