import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct PipeTests {
    @Test func pipe_sizeGranted_isAsked() async throws {
        try await Exclusive.run {
            let small = try Pipe(asking: 64 << 10)
            #expect([8 << 10, 64 << 10].contains(small.capacity), "8 KiB once a user's pipes are many (pipe(7))")
            let large = try Pipe(asking: 1 << 20)
            #expect(large.capacity == 1 << 20 || large.capacity == small.capacity)
        }
    }

    @Test func pipe_absurdSize_isAPipeStill() async throws {
        try await Exclusive.run {
            let pipe = try Pipe(asking: Int(Int32.max))
            #expect(pipe.capacity > 0)
        }
    }

    /// `#expect` would copy the noncopyable socket.
    private func expect<Value: Equatable>(
        _ value: Value, _ wanted: Value, location: SourceLocation = #_sourceLocation
    ) {
        #expect(value == wanted, sourceLocation: location)
    }

    @Test func pipe_bytesThroughIt_comeOutInOrderAndBounded() async throws {
        try await Exclusive.run {
            let (from, into) = (try PeerListener(), try PeerListener())
            let source = try Socket(family: AF_INET)
            let destination = try Socket(family: AF_INET)
            expect(source.connect(to: from.address), .connected)
            expect(destination.connect(to: into.address), .connected)
            let (sender, receiver) = (try from.accept(), try into.accept())
            let pipe = try Pipe(asking: 64 << 10)
            let pattern = Pattern(seed: 3)
            expect(source.splice(into: pipe, limit: 1000), .wouldBlock)
            expect(destination.splice(from: pipe, limit: 1000), .wouldBlock)
            try sender.send(pattern, 0..<5000)
            try sender.awaitSent()
            expect(source.splice(into: pipe, limit: 1000), .moved(1000))
            expect(destination.splice(from: pipe, limit: 400), .moved(400))
            expect(destination.splice(from: pipe, limit: 65536), .moved(600))
            try receiver.receive(pattern, 0..<1000)
            sender.endWriting()
            var moved = 0
            try Deadline.poll("the end of stream") {
                switch source.splice(into: pipe, limit: 65536) {
                case .moved(let count):
                    moved += count
                    return false
                case .wouldBlock: return false
                case .endOfStream: return true
                case .failed(let error): throw TestFailure(error.name)
                }
            }
            #expect(moved == 4000)
            expect(destination.splice(from: pipe, limit: 65536), .moved(4000))
            try receiver.receive(pattern, 1000..<5000)
        }
    }
}
