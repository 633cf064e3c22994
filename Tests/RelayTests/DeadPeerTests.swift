import Sockets
import Testing

@testable import Relay

@Suite struct DeadPeerTests {
    private func info(retransmits: Int = 0, probes: Int = 0) -> Socket.Info {
        // There is no public initializer, so the counters of a real socket are changed.
        var info = Self.blank
        info.retransmits = retransmits
        info.probes = probes
        return info
    }

    private static let blank: Socket.Info = {
        guard let socket = try? Socket(family: 2), let info = socket.info else {
            preconditionFailure("no TCP socket to be had")
        }
        return info
    }()

    @Test func peer_thatDoesNotAnswer_isDead() {
        #expect(DeadPeer.isUnanswered(info(retransmits: 1)))
        #expect(DeadPeer.isUnanswered(info(probes: 3)))
        #expect(DeadPeer.isUnanswered(info(retransmits: 9, probes: 9)))
    }

    @Test func peer_thatAnswersProbesOrHasHadNone_isNot() {
        #expect(!DeadPeer.isUnanswered(info()))
        #expect(!DeadPeer.isUnanswered(info(probes: 2)))
    }
}
