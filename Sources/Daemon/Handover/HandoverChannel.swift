import EventLoop
import Sockets

/// The channel between a tapline and the one that takes over: a line per message, over a socket pair.
///
/// On the main thread's loop. It stays open while the older process lives; end of stream means that it has ended.
final class HandoverChannel: Poll {
    /// An event of the channel.
    enum Event {
        case line(HandoverLine)
        /// The other process has ended or closed its end.
        case gone
    }

    private var socket: Socket
    private let received: (Event) -> Void
    private let buffer = ByteBuffer(capacity: 512)
    private var lines = HandoverLines()

    /// Watches one end. `received` is called on the loop's thread.
    init(loop: EventLoop, socket: consuming Socket, received: @escaping (Event) -> Void) throws(UVError) {
        self.socket = socket
        self.received = received
        try super.init(loop: loop, fd: self.socket.fd, for: .readable)
    }

    /// Sends a line. A failure is reported as `gone`.
    func send(_ line: HandoverLine) {
        let bytes = Array((line.text + "\n").utf8)
        _ = socket.send(bytes[...])
    }

    override func ready(_ events: Events) {
        switch socket.receive(into: buffer, limit: buffer.capacity) {
        case .moved(let count):
            let bytes = buffer.withBytes(from: 0, count: count) { Array(copying: $0) }
            for line in lines.add(bytes) { received(.line(line)) }
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            end()
            received(.gone)
        }
    }

    /// The kernel no longer watches the socket, so no event would follow.
    override func watchFailed(_ error: UVError) {
        end()
        received(.gone)
    }

    /// Closes the channel.
    func end() {
        close()
        socket.close()
    }
}

/// Divides the channel's bytes into lines. A value.
struct HandoverLines {
    private var line: [UInt8] = []
    /// The line so far is too long: the rest of it is skipped.
    private var isSkipping = false

    /// Adds bytes, and returns the known lines that they complete.
    mutating func add(_ bytes: [UInt8]) -> [HandoverLine] {
        var found: [HandoverLine] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isSkipping, let known = HandoverLine(parsing: String(decoding: line, as: UTF8.self)) {
                    found.append(known)
                }
                line = []
                isSkipping = false
            } else if line.count >= HandoverLine.longest {
                line = []
                isSkipping = true
            } else if !isSkipping {
                line.append(byte)
            }
        }
        return found
    }
}
