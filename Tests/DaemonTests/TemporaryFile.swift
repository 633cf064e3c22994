import Glibc
import Sockets
import TestSupport

/// A path in its own folder, which is removed with it.
final class TemporaryFile {
    let folder: String
    var path: String { folder + "/access.log" }

    init() throws {
        var template = Array("/tmp/tapline-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.current }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in ["access.log", "fifo"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// The file's content.
    var contents: String {
        let fd = open(path, O_RDONLY)
        defer { close(fd) }
        var all: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(fd, &block, block.count)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += block[..<count]
        }
    }
}

/// A FIFO with its reader.
final class TemporaryFIFO {
    private let file: TemporaryFile
    private var reader: CInt
    var path: String { file.folder + "/fifo" }

    init() throws {
        file = try TemporaryFile()
        guard mkfifo(file.folder + "/fifo", 0o600) == 0 else { throw Errno.current }
        reader = open(file.folder + "/fifo", O_RDONLY | O_NONBLOCK)
        guard reader >= 0 else { throw Errno.current }
    }

    deinit {
        closeReader()
    }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    /// Waits until the FIFO is full.
    func awaitFull() throws {
        let writer = open(path, O_WRONLY | O_NONBLOCK)
        guard writer >= 0 else { throw Errno.current }
        defer { close(writer) }
        try Deadline.poll("the FIFO is full") {
            var entry = pollfd(fd: writer, events: Int16(POLLOUT), revents: 0)
            return poll(&entry, 1, 0) == 0
        }
    }

    /// Reads until the writer is done: it may keep the FIFO open, so there is no end of file.
    func read(until isDone: () -> Bool) -> String {
        var all: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            // Evaluated first: everything written before that is readable now.
            let isLast = isDone()
            var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            let got = poll(&entry, 1, isLast ? 0 : 20) > 0 ? Glibc.read(reader, &block, block.count) : -1
            if got > 0 {
                all += block[..<got]
            } else if isLast || got == 0 {
                return String(decoding: all, as: UTF8.self)
            }
        }
    }

    /// Reads this many bytes, however long that takes.
    func read(count: Int) -> String {
        var all: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while all.count < count {
            var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            // Nothing within a minute: the test fails by what is missing.
            guard poll(&entry, 1, 60_000) > 0 else { break }
            let got = Glibc.read(reader, &block, min(block.count, count - all.count))
            guard got > 0 else { break }
            all += block[..<got]
        }
        return String(decoding: all, as: UTF8.self)
    }
}
