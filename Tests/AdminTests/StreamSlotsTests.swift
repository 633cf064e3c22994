import Testing

@testable import Admin

/// Slots for answers without an end.
struct StreamSlotsTests {
    @Test func slot_isFree_onceItIsReleased() throws {
        let slots = StreamSlots(most: 2)
        var first: StreamSlot? = try slots.acquire()
        let second = try slots.acquire()
        #expect(throws: AdminError.tooManyStreams) { try slots.acquire() }
        #expect(!slots.areAllFree)
        withExtendedLifetime(first) {}
        first = nil
        // The refusal did not use one.
        let third = try slots.acquire()
        #expect(throws: AdminError.tooManyStreams) { try slots.acquire() }
        withExtendedLifetime((second, third)) {}
    }

    /// A client that leaves before its answer begins: the code that makes the answer never runs.
    @Test func answerThatIsNeverMade_releasesItsSlot() throws {
        let slots = StreamSlots(most: 1)
        for _ in 0..<3 {
            let unmade = Answer.stream("text/event-stream", try slots.acquire()) { _ in }
            #expect(!slots.areAllFree)
            withExtendedLifetime(unmade) {}
        }
        #expect(slots.areAllFree)
    }
}
