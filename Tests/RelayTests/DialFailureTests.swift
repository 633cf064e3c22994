import Glibc
import Sockets
import Testing

@testable import Relay

@Suite struct DialFailureTests {
    private static let four = SocketAddress.ipv4(IPv4Address(bits: 0xC000_0207), port: 80)
    private static let six = SocketAddress.ipv6(IPv6Address(high: 0xFD00_0000_0000_0000, low: 7), port: 80)

    @Test(arguments: [
        (EMFILE, EndReason.overLimit), (ENFILE, .overLimit), (ENOBUFS, .overLimit), (ENOMEM, .overLimit),
        (EAFNOSUPPORT, .connectUnreachable), (EACCES, .internalError),
    ])
    func opening_errorOfTheSystem_isThisReason(code: CInt, reason: EndReason) {
        let failure = DialFailure(opening: Self.four, Errno(code))
        #expect(failure == DialFailure(reason: reason, errno: Errno(code), address: Self.four))
    }

    @Test(arguments: [
        (ECONNREFUSED, EndReason.connectRefused), (ETIMEDOUT, .connectTimeout), (EAGAIN, .noLocalPort),
        (ENOBUFS, .overLimit), (ENOMEM, .overLimit), (ENETUNREACH, .connectUnreachable),
        (EHOSTUNREACH, .connectUnreachable), (ENOENT, .connectUnreachable), (EACCES, .connectUnreachable),
    ])
    func connecting_errorOfTheSystem_isThisReason(code: CInt, reason: EndReason) {
        let failure = DialFailure(connecting: Self.four, Errno(code)) {
            Issue.record("the interfaces were asked for")
            return []
        }
        #expect(failure == DialFailure(reason: reason, errno: Errno(code), address: Self.four))
    }

    /// The system reports the same error when every port is in use and when the machine has no address of the family.
    @Test func connecting_noLocalAddress_dependsOnTheInterfaces() {
        let loopback4 = SocketAddress.ipv4(.loopback, port: 80)
        let loopback6 = SocketAddress.ipv6(.loopback, port: 80)
        func reason(_ address: SocketAddress, _ local: Set<SocketAddress>) -> EndReason {
            DialFailure(connecting: address, Errno(EADDRNOTAVAIL)) { local }.reason
        }
        let own4 = SocketAddress.ipv4(IPv4Address(bits: 0xC000_0201), port: 0)
        let loopbacks: Set = [loopback4.with(port: 0), loopback6.with(port: 0)]
        #expect(reason(Self.four, loopbacks.union([own4])) == .noLocalPort)
        #expect(reason(Self.four, loopbacks) == .connectUnreachable)
        #expect(reason(Self.six, loopbacks.union([own4])) == .connectUnreachable)
        #expect(reason(Self.six, [Self.six.with(port: 0)]) == .noLocalPort)
        #expect(reason(loopback4, loopbacks) == .noLocalPort)
        #expect(reason(loopback6, [loopback4.with(port: 0), own4]) == .connectUnreachable)
        #expect(reason(Self.four, []) == .connectUnreachable)
    }

    @Test func severalFailures_theMostInformativeOneIsReported() {
        func failure(_ reason: EndReason, _ address: SocketAddress? = Self.four) -> DialFailure {
            DialFailure(reason: reason, errno: nil, address: address)
        }
        let byStrength: [EndReason] = [
            .connectUnreachable, .connectTimeout, .overLimit, .noLocalPort, .connectRefused, .loop,
        ]
        for (place, weaker) in byStrength.enumerated() {
            #expect(DialFailure.nothingTried.orStronger(failure(weaker)) == failure(weaker))
            #expect(failure(weaker).orStronger(.nothingTried) == failure(weaker))
            for stronger in byStrength[(place + 1)...] {
                #expect(failure(weaker).orStronger(failure(stronger)) == failure(stronger))
                #expect(failure(stronger).orStronger(failure(weaker)) == failure(stronger))
            }
            #expect(failure(weaker).orStronger(failure(weaker, Self.six)) == failure(weaker, Self.six), "the later")
        }
        #expect(failure(.internalError).orStronger(failure(.connectTimeout)) == failure(.connectTimeout))
        #expect(failure(.connectRefused).orStronger(failure(.internalError)) == failure(.connectRefused))
    }
}
