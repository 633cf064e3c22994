import EventLoop
import Sockets

/// The way in which a tapline and the one that takes its place talk: a word a line, over a pair of sockets.
///
/// On the main thread's loop. It stays open for as long as the older process lives, so that the end of the stream tells
/// the younger one that it is alone.
final class HandoverChannel: Poll {
    /// What one tells the other. A word that is not known is passed over.
    enum Word: String {
        /// From the younger one: it accepts clients.
        case ready
        /// From the older one: it accepts no more, and the files of Unix sockets are the younger one's.
        case yours
    }

    /// What is heard.
    enum Event {
        case word(Word)
        /// The other process has ended, or let go.
        case gone
    }

    private var socket: Socket
    private let heard: (Event) -> Void
    private let buffer = ByteBuffer(capacity: 256)
    private var line: [UInt8] = []

    /// Listens to one end. `heard` is called on the loop's thread.
    init(loop: EventLoop, socket: consuming Socket, heard: @escaping (Event) -> Void) throws(UVError) {
        self.socket = socket
        self.heard = heard
        try super.init(loop: loop, fd: self.socket.fd, for: .readable)
    }

    /// Tells the other one a word. When it is gone, that is heard.
    func say(_ word: Word) {
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
            heard(.gone)
        }
    }

    /// The kernel watches it no more, so nothing would be heard.
    override func watchFailed(_ error: UVError) {
        end()
        heard(.gone)
    }

    private func takeLines() {
        while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
            let word = Word(rawValue: String(decoding: line[..<end], as: UTF8.self))
            line.removeFirst(end + 1)
            if let word { heard(.word(word)) }
        }
        // No word is so long.
        if line.count > buffer.capacity { line = [] }
    }

    /// Listens no more.
    func end() {
        close()
        socket.close()
    }
}
