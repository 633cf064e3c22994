import TLS
import Testing

@testable import Relay

/// What is kept of a dialogue before TLS.
@Suite struct OpeningDialogueTests {
    private func bytes(_ value: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: value, count: count) }

    @Test func dialogue_isKeptInOrder() {
        var dialogue = OpeningDialogue()
        dialogue.add(bytes(1, 3), .sent, at: 10)
        dialogue.add(bytes(2, 4), .received, at: 11)
        #expect(dialogue.messages.map(\.way) == [.sent, .received])
        #expect(dialogue.messages.map { Array($0.bytes) } == [bytes(1, 3), bytes(2, 4)])
        #expect(dialogue.messages.map(\.ticks) == [10, 11])
        #expect(dialogue.receivedBefore == 0 && dialogue.sentBefore == 0)
    }

    @Test func longDialogue_losesItsFirstMessages_byCount() {
        var dialogue = OpeningDialogue()
        dialogue.add(bytes(1, 100), .sent, at: 1)
        for number in 0..<20 { dialogue.add(bytes(2, 8000), .received, at: 2 + UInt64(number)) }
        dialogue.add(bytes(3, 10), .sent, at: 30)
        #expect(dialogue.messages.count == 9 && dialogue.messages.last.map { Array($0.bytes) } == bytes(3, 10))
        #expect(dialogue.sentBefore == 100 && dialogue.receivedBefore == 12 * 8000)
    }

    @Test func longMessage_losesItsBeginning() {
        var dialogue = OpeningDialogue()
        dialogue.add(bytes(1, 5), .sent, at: 1)
        dialogue.add(bytes(2, OpeningDialogue.most + 7), .received, at: 2)
        #expect(dialogue.messages.map(\.bytes.count) == [OpeningDialogue.most])
        #expect(dialogue.receivedBefore == 7 && dialogue.sentBefore == 5)
    }
}
