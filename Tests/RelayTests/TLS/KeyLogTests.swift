import Configuration
import Glibc
import Sockets
import TLS
import TestSupport
import Testing

@testable import Relay

/// Against real files and FIFOs. No test waits for a time, only for the thread that writes.
@Suite(.besideOthers) struct KeyLogTests {
    init() {
        signal(SIGPIPE, SIG_IGN)
    }

    @Test func lines_areAppendedInOrder_toAFileWithMode0600() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/keys.log"
            let old = umask(0)
            defer { umask(old) }
            for start in [0, 5000] {
                let log = LogCapture()
                let keys = Self.open(path, log)
                for number in start..<start + 5000 { keys.append(Array("line \(number)".utf8)) }
                keys.finish(within: 60_000)
                #expect(log.all.count == 1 && log.contains("warning", "anyone who can read"), "\(log.all)")
            }
            let text = try Self.text(of: path)
            #expect(text == (0..<10_000).map { "line \($0)\n" }.joined())
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
    }

    @Test func line_isInTheFile_beforeTheLogEnds() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/keys.log"
            let keys = Self.open(path, LogCapture())
            for text in ["first", "second"] {
                keys.append(Array(text.utf8))
                try Deadline.poll("the line is in the file") { try Self.text(of: path).hasSuffix(text + "\n") }
            }
            keys.finish(within: 60_000)
        }
    }

    @Test func fileThatTakesNothing_delaysNoCaller_andTheLossIsCounted() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/fifo"
            #expect(mkfifo(path, 0o600) == 0)
            let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let log = LogCapture()
            let keys = Self.open(path, log, limit: 10)
            // A line fills the FIFO several times, so that the thread waits within the first one. If `append` wrote, it
            // would wait here for the reads below.
            let line = [UInt8](repeating: 0x78, count: 200_000)
            for _ in 0..<50 { keys.append(line) }
            #expect(log.all.count { $0.contains("too slow for TLS keys") } == 1, "\(log.all)")
            try Self.read(10 * (line.count + 1), from: reader)
            try Deadline.poll("the loss is reported") {
                log.contains("warning", "accepts TLS keys again, 40 were lost")
            }
            keys.append(Array("next".utf8))
            try Self.read(5, from: reader)
            keys.finish(within: 60_000)
        }
    }

    @Test func fileThatTakesNothing_isGivenUpAtTheEnd_withACount() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/fifo"
            #expect(mkfifo(path, 0o600) == 0)
            let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let log = LogCapture()
            let keys = Self.open(path, log)
            for _ in 0..<3 { keys.append([UInt8](repeating: 0x78, count: 200_000)) }
            keys.finish(within: 1)
            #expect(log.contains("warning", "3 TLS keys were never written to \(path)"), "\(log.all)")
        }
    }

    @Test func fullDisk_isAWarning_andLinesWait() async throws {
        let log = LogCapture()
        let keys = Self.open("/dev/full", log)
        for _ in 0..<100 { keys.append(Array("line".utf8)) }
        try Deadline.poll("the error is reported") {
            log.contains("warning", "cannot write TLS keys to /dev/full", "ENOSPC", "they wait")
        }
        keys.finish(within: 60_000)
        #expect(log.contains("warning", "100 TLS keys were never written to /dev/full"), "\(log.all)")
    }

    @Test func fileThatCannotBeOpened_isOneWarning_andIsTriedAgainByAReload() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/missing/keys.log"
            let log = LogCapture()
            let keys = Self.open(path, log)
            keys.append(Array("lost".utf8))
            keys.check([Self.relay])
            #expect(log.all.count == 1 && log.contains("TLS keys cannot be written to \(path)"), "\(log.all)")
            #expect(mkdir(folder + "/missing", 0o700) == 0)
            keys.check([Self.relay])
            keys.append(Array("kept".utf8))
            keys.finish(within: 60_000)
            let text = try Self.text(of: path)
            #expect(text == "kept\n")
            #expect(log.all.count == 2 && log.contains("anyone who can read"), "\(log.all)")
        }
    }

    // MARK: Helpers

    private static var relay: RelaySettings {
        var relay = RelaySettings.to(.name("upstream.test", port: 1))
        relay.upstreamTLS = UpstreamTLSSettings(verify: .off)
        relay.writesKeyLog = true
        return relay
    }

    /// A log that a configuration uses.
    private static func open(_ path: String, _ log: LogCapture, limit: Int = KeyLog.lineLimit) -> KeyLog {
        let keys = KeyLog(path: path, logger: log.logger, limit: limit)
        keys.check([relay])
        return keys
    }

    private static func text(of path: String) throws -> String {
        String(decoding: try Files.bytes(of: path), as: UTF8.self)
    }

    /// Reads this number of bytes from a FIFO.
    private static func read(_ count: Int, from fd: CInt) throws {
        var left = count
        var block = [UInt8](repeating: 0, count: 65536)
        try Deadline.poll("\(count) bytes are read") {
            while left > 0, case let got = Glibc.read(fd, &block, min(left, block.count)), got > 0 { left -= got }
            return left == 0
        }
    }
}
