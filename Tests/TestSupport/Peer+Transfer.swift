internal import Glibc
internal import Sockets

/// Sending and receiving, with every byte checked.
extension Peer {
    /// Sends a range of a pattern, at most `piece` bytes per call.
    public func send(
        _ pattern: Pattern, _ range: Range<Int>, piece: Int = 256 << 10, within: Duration = Deadline.usual
    ) throws {
        let deadline = Deadline(in: within)
        var position = range.lowerBound
        while position < range.upperBound {
            guard let sent = try sendSome(pattern, at: position, limit: min(piece, range.upperBound - position)) else {
                try self.await(POLLOUT, "room to send byte \(position) of \(range)", deadline)
                continue
            }
            position += sent
        }
    }

    /// Sends bytes that are not from a pattern, at most `piece` bytes per call.
    public func send(_ bytes: [UInt8], piece: Int = .max, within: Duration = Deadline.usual) throws {
        let deadline = Deadline(in: within)
        var position = 0
        while position < bytes.count {
            let sent = bytes.withUnsafeBytes { bytes in
                Glibc.send(
                    fd, bytes.baseAddress.map { $0 + position }, min(piece, bytes.count - position), CInt(MSG_NOSIGNAL))
            }
            if sent >= 0 {
                position += sent
            } else {
                guard errno == EAGAIN else { throw TestFailure("send at byte \(position): \(Errno.current.name)") }
                try self.await(POLLOUT, "room to send byte \(position)", deadline)
            }
        }
    }

    /// Reads exactly `count` bytes without checking them.
    public func receive(count: Int, within: Duration = Deadline.usual) throws -> [UInt8] {
        let deadline = Deadline(in: within)
        var bytes = [UInt8](repeating: 0, count: count)
        var position = 0
        while position < count {
            let received = bytes.withUnsafeMutableBytes { bytes in
                recv(fd, bytes.baseAddress.map { $0 + position }, count - position, 0)
            }
            if received > 0 {
                position += received
            } else if received == 0 {
                throw TestFailure("an end at byte \(position) of \(count)")
            } else {
                guard errno == EAGAIN else { throw TestFailure("receive at byte \(position): \(Errno.current.name)") }
                try self.await(POLLIN, "byte \(position) of \(count)", deadline)
            }
        }
        return bytes
    }

    /// Sends as much as there is room for now. Nil if there is no room.
    func sendSome(_ pattern: Pattern, at position: Int, limit: Int) throws -> Int? {
        let sent = pattern.withBytes(at: position, limit: limit) {
            Glibc.send(fd, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        if sent >= 0 { return sent }
        guard errno == EAGAIN else { throw TestFailure("send at byte \(position): \(Errno.current.name)") }
        return nil
    }

    /// Sends from a position on until nothing was accepted for `quiet`: every buffer on the path is full. Returns the
    /// position reached.
    public func sendUntilStalled(
        _ pattern: Pattern, from start: Int = 0, piece: Int = 256 << 10, most: Int = 256 << 20,
        quiet: Duration = .milliseconds(300)
    ) throws -> Int {
        var position = start
        var stalled = Deadline(in: quiet)
        while position - start < most {
            if let sent = try sendSome(pattern, at: position, limit: piece) {
                position += sent
                stalled = Deadline(in: quiet)
            } else if stalled.isOver {
                return position
            } else {
                Deadline.letPass(.milliseconds(2))
            }
        }
        throw TestFailure("nothing held back \(most) bytes")
    }

    /// Waits until bytes have arrived and no more arrive for a while. A stream that is longer then fills every buffer
    /// on the path, and the relay reads much of it at once, even from a slow sender.
    public func awaitBacklog(quiet: Duration = .milliseconds(30), within: Duration = Deadline.usual) throws {
        let deadline = Deadline(in: within)
        try self.await(POLLIN, "the first byte of a stream", deadline)
        var (last, still) = (CInt(-1), Deadline(in: quiet))
        while !still.isOver, !deadline.isOver {
            var waiting: CInt = 0
            guard ioctl(fd, UInt(FIONREAD), &waiting) == 0 else { throw TestFailure("FIONREAD: \(Errno.current.name)") }
            if waiting != last { (last, still) = (waiting, Deadline(in: quiet)) }
            Deadline.letPass(.milliseconds(2))
        }
    }

    /// Sends the byte at a position out of band (`MSG_OOB`).
    public func sendUrgent(_ pattern: Pattern, at position: Int) throws {
        let deadline = Deadline()
        while true {
            let sent = pattern.withBytes(at: position, limit: 1) {
                Glibc.send(fd, $0.baseAddress, 1, CInt(MSG_OOB) | CInt(MSG_NOSIGNAL))
            }
            if sent == 1 { return }
            guard errno == EAGAIN else { throw TestFailure("send out of band: \(Errno.current.name)") }
            try self.await(POLLOUT, "room for the urgent byte \(position)", deadline)
        }
    }

    /// Reads exactly a range of a pattern.
    public func receive(
        _ pattern: Pattern, _ range: Range<Int>, piece: Int = 256 << 10, within: Duration = Deadline.usual
    ) throws {
        let deadline = Deadline(in: within)
        var position = range.lowerBound
        while position < range.upperBound {
            switch try receiveSome(pattern, at: position, limit: min(piece, range.upperBound - position)) {
            case .bytes(let count): position += count
            case .nothing: try self.await(POLLIN, "byte \(position) of \(range)", deadline)
            case .ended(let ending): throw TestFailure("\(ending) at byte \(position) of \(range)")
            }
        }
    }

    /// Reads until the other end ends its half. Returns the number of bytes, including the `from` bytes that were read
    /// before, and how the stream ended.
    public func receiveToEnd(
        _ pattern: Pattern, from start: Int = 0, piece: Int = 256 << 10, within: Duration = Deadline.usual
    ) throws -> Received {
        let deadline = Deadline(in: within)
        var position = start
        while true {
            switch try receiveSome(pattern, at: position, limit: piece) {
            case .bytes(let count): position += count
            case .nothing: try self.await(POLLIN, "the end, after byte \(position)", deadline)
            case .ended(let ending): return Received(count: position, ending: ending)
            }
        }
    }

    /// Reads bytes that are not from a pattern until the other end ends its half; at most `most`. The ending is nil if
    /// there were more.
    public func receiveAll(
        most: Int = 1 << 16, within: Duration = Deadline.usual
    ) throws -> (bytes: [UInt8], ending: Ending?) {
        let deadline = Deadline(in: within)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < most {
            let count = recv(fd, &buffer, buffer.count, 0)
            if count > 0 {
                bytes += buffer.prefix(count)
            } else if count == 0 {
                return (bytes, endingRead)
            } else if errno == ECONNRESET {
                return (bytes, .reset)
            } else {
                guard errno == EAGAIN else { throw TestFailure("receive: \(Errno.current.name)") }
                try self.await(POLLIN, "byte \(bytes.count)", deadline)
            }
        }
        return (bytes, nil)
    }

    /// The result of reading to the end.
    public struct Received: Hashable, Sendable {
        /// The number of bytes, all of which matched.
        public var count: Int
        /// How the stream ended.
        public var ending: Ending

        /// A number of bytes and an ending.
        public init(count: Int, ending: Ending) {
            self.count = count
            self.ending = ending
        }
    }

    enum Some {
        case bytes(Int), nothing, ended(Ending)
    }

    /// Reads the available bytes and compares them.
    func receiveSome(_ pattern: Pattern, at position: Int, limit: Int) throws -> Some {
        try withUnsafeTemporaryAllocation(byteCount: min(limit, 256 << 10), alignment: 16) { buffer in
            let count = recv(fd, buffer.baseAddress, buffer.count, 0)
            if count == 0 { return .ended(endingRead) }
            if count < 0 {
                if errno == EAGAIN { return .nothing }
                if errno == ECONNRESET { return .ended(.reset) }
                throw TestFailure("receive at byte \(position): \(Errno.current.name)")
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if let place = pattern.firstDifference(bytes, at: position) {
                throw TestFailure("byte \(place) is wrong (in \(count) bytes from \(position))")
            }
            return .bytes(count)
        }
    }
}

extension Peer {
    /// Whether bytes or an ending can be read now.
    public var hasBytes: Bool {
        (try? self.await(POLLIN, "", Deadline(in: .zero))) != nil
    }
}
