import Glibc
import Sockets
import TestSupport
import Testing

/// Inherited descriptors.
@Suite struct InheritingTests {
    private func expect(_ fault: InheritanceFault, of descriptor: CInt) {
        #expect(throws: fault) { _ = try Socket.inheriting(descriptor) }
    }

    @Test func listeningSocket_isTaken_nonBlockingAndClosedOnExec() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let descriptor = dup(listener.fd)
            _ = fcntl(descriptor, F_SETFL, 0)
            let socket = try Socket.inheriting(descriptor)
            #expect(socket.fd == descriptor && socket.localAddress == listener.address)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            #expect(!socket.servesBothFamilies && socket.cookie != nil)
            listener.close()
        }
    }

    @Test func anythingElse_isNamed_andLeftAlone() async throws {
        try await Exclusive.run {
            expect(.notOpen, of: 900)
            var ends: [CInt] = [0, 0]
            #expect(pipe(&ends) == 0)
            expect(.notASocket, of: ends[0])
            let datagram = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
            expect(.notAStream, of: datagram)
            let unbound = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            expect(.notListening, of: unbound)
            for descriptor in ends + [datagram, unbound] {
                // It was not adopted.
                #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0)
                #expect(Glibc.close(descriptor) == 0)
            }
        }
    }

    @Test func copies_areOneSocket_numberedWhereTheyAreWanted() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let socket = try Socket.inheriting(dup(listener.fd))
            let copy = try socket.duplicate(from: 200)
            #expect(copy.fd >= 200 && copy.cookie == socket.cookie)
            let other = try PeerListener()
            #expect(try Socket.inheriting(dup(other.fd)).cookie != socket.cookie)
            listener.close()
            other.close()
        }
    }

    @Test func dualStackSocket_isDistinguishedFromAnIPv6Socket() async throws {
        try await Exclusive.run {
            for isAlone in [CInt(0), 1] {
                var value = isAlone
                let socket = try Socket(family: AF_INET6)
                setsockopt(socket.fd, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &value, 4)
                let any = SocketAddress.ipv6(.any, port: 0)
                #expect(any.withSockaddr { Glibc.bind(socket.fd, $0, $1) } == 0)
                #expect(socket.servesBothFamilies == (isAlone == 0))
            }
        }
    }

    @Test func memoryFile_givesBackItsText() async throws {
        try await Exclusive.run {
            let file = try MemoryFile("who is who", from: 300)
            #expect(file.fd >= 300)
            #expect(try MemoryFile(inheriting: dup(file.fd)).text(atMost: 1000) == "who is who")
        }
    }
}
