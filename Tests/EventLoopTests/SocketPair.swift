import Glibc
import TestSupport

/// Two connected non-blocking Unix sockets, closed after the body.
func withSocketPair<Result>(_ body: (_ here: CInt, _ there: CInt) throws -> Result) throws -> Result {
    var ends: [CInt] = [-1, -1]
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw TestFailure("no socket pair") }
    defer { for end in ends { close(end) } }
    return try body(ends[0], ends[1])
}

/// Writes one byte.
func poke(_ fd: CInt) {
    var byte: UInt8 = 1
    _ = send(fd, &byte, 1, CInt(MSG_NOSIGNAL))
}

/// Writes until there is no room.
func fill(_ fd: CInt) {
    let bytes = [UInt8](repeating: 1, count: 65536)
    while send(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL)) > 0 {}
}

/// Reads all available bytes.
func empty(_ fd: CInt) {
    var bytes = [UInt8](repeating: 0, count: 65536)
    while recv(fd, &bytes, bytes.count, 0) > 0 {}
}
