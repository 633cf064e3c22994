import Recording
import Sockets
import Testing

struct DirectionTests {
    @Test func aDirection_leadsFromItsSourceToItsDestination() {
        for side in Side.allCases {
            let direction = Direction(from: side)
            #expect(direction.source == side)
            #expect(direction.destination == side.other)
        }
    }
}
