import Glibc
import Sockets

/// A path in a folder of its own, which goes with it.
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

    /// What stands in the file.
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

    /// Reads so many bytes, however long they take to come.
    func read(count: Int) -> String {
        var all: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while all.count < count {
            var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            // A minute is for ever: then the test fails by what is missing.
            guard poll(&entry, 1, 60_000) > 0 else { break }
            let got = Glibc.read(reader, &block, min(block.count, count - all.count))
            guard got > 0 else { break }
            all += block[..<got]
        }
        return String(decoding: all, as: UTF8.self)
    }
}
