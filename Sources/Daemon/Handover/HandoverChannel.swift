import EventLoop
import Sockets

/// The channel between a tapline and the one that takes over: a word per line, over a socket pair.
///
/// On the main thread's loop. It stays open while the older process lives; end of stream means that it has ended.
final class HandoverChannel: Poll {
    /// A message. Unknown words are ignored.
    enum Word: String {
        /// From the younger process: it accepts clients.
        case ready
        /// From the older process: it has stopped accepting, and the files of Unix sockets belong to the younger one.
        case yours
    }

    /// An event of the channel.
    enum Event {
        case word(Word)
        /// The other process has ended or closed its end.
        case gone
    }

    private var socket: Socket
    private let received: (Event) -> Void
    private let buffer = ByteBuffer(capacity: 256)
    private var line: [UInt8] = []

    /// Watches one end. `received` is called on the loop's thread.
    init(loop: EventLoop, socket: consuming Socket, received: @escaping (Event) -> Void) throws(UVError) {
        self.socket = socket
        self.received = received
        try super.init(loop: loop, fd: self.socket.fd, for: .readable)
    }

    /// Sends a word. A failure is reported as `gone`.
    func send(_ word: Word) {
        let bytes = Array((word.rawValue + "\n").utf8)
        _ = socket.send(bytes)
    }

    override func ready(_ events: Events) {
        switch socket.receive(into: buffer, limit: buffer.capacity) {
        case .moved(let count):
            line += buffer.withBytes(from: 0, count: count) { Array(copying: $0) }
            takeLines()
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

    private func takeLines() {
        while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
            let word = Word(rawValue: String(decoding: line[..<end], as: UTF8.self))
            line.removeFirst(end + 1)
            if let word { received(.word(word)) }
        }
        // No word is that long.
        if line.count > buffer.capacity { line = [] }
    }

    /// Closes the channel.
    func end() {
        close()
        socket.close()
    }
}
