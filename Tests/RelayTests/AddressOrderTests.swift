import Sockets
import Testing

@testable import Relay

@Suite struct AddressOrderTests {
    private static func four(_ last: UInt32) -> SocketAddress {
        .ipv4(IPv4Address(bits: 0xC000_0200 + last), port: 80)
    }
    private static func six(_ last: UInt64) -> SocketAddress {
        .ipv6(IPv6Address(high: 0x2001_0DB8_0000_0000, low: last), port: 80)
    }

    @Test func addresses_ofBothFamilies_takeTurnsBeginningWithTheFirst() {
        let (four, six) = (Self.four, Self.six)
        #expect(
            AddressOrder.interleaved([six(1), six(2), six(3), four(1), four(2)])
                == [six(1), four(1), six(2), four(2), six(3)])
        #expect(AddressOrder.interleaved([four(1), six(1), six(2)]) == [four(1), six(1), six(2)])
        #expect(AddressOrder.interleaved([four(1), four(2), six(1)]) == [four(1), six(1), four(2)])
    }

    @Test func addresses_ofOneFamily_stayAsTheyAre() {
        let (four, six) = (Self.four, Self.six)
        #expect(AddressOrder.interleaved([]) == [])
        #expect(AddressOrder.interleaved([four(2), four(1)]) == [four(2), four(1)])
        #expect(AddressOrder.interleaved([six(2), six(1)]) == [six(2), six(1)])
    }
}
