import Testing

@testable import Admin

/// Places for answers that go on.
struct StreamPlacesTests {
    @Test func place_isFree_onceNobodyHoldsOnToIt() throws {
        let places = StreamPlaces(most: 2)
        var first: StreamPlace? = try places.take()
        let second = try places.take()
        #expect(throws: AdminError.tooManyStreams) { try places.take() }
        #expect(!places.areFree)
        withExtendedLifetime(first) {}
        first = nil
        // The refusal took none.
        let third = try places.take()
        #expect(throws: AdminError.tooManyStreams) { try places.take() }
        withExtendedLifetime((second, third)) {}
    }

    /// A client that leaves before its answer begins: what would make the answer is never run.
    @Test func answerThatIsNeverMade_givesItsPlaceBack() throws {
        let places = StreamPlaces(most: 1)
        for _ in 0..<3 {
            let unmade = Answer.stream("text/event-stream", try places.take()) { _ in }
            #expect(!places.areFree)
            withExtendedLifetime(unmade) {}
        }
        #expect(places.areFree)
    }
}
