internal import Synchronization

/// The places for answers that go on (events, live traffic), of which there are only so many. Any thread.
final class StreamPlaces: Sendable {
    private let most: Int
    private let taken = Atomic<Int>(0)

    init(most: Int) {
        self.most = most
    }

    /// Whether nobody has one.
    var areFree: Bool { taken.load(ordering: .relaxed) == 0 }

    /// Takes a place.
    func take() throws(AdminError) -> StreamPlace {
        guard taken.add(1, ordering: .relaxed).newValue <= most else {
            leave()
            throw .tooManyStreams
        }
        return StreamPlace(of: self)
    }

    fileprivate func leave() {
        taken.subtract(1, ordering: .relaxed)
    }
}

/// One of the places. It is free again when nobody holds on to this any more: a client can leave before the first byte
/// of its answer, and then nothing that the answer consists of is ever run to give the place back.
final class StreamPlace: Sendable {
    private let places: StreamPlaces

    fileprivate init(of places: StreamPlaces) {
        self.places = places
    }

    deinit {
        places.leave()
    }
}
