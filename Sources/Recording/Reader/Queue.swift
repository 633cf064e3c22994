/// Elements in order, taken from the front and added at any place.
///
/// Taking the first element moves no others: its slot stays free until free slots are most of the memory. The element
/// itself is released at once.
struct Queue<Element> {
    private var slots: [Element?] = []
    /// The first slot in use.
    private var head = 0
    /// How many elements were moved so far, the measure of the work.
    private(set) var moved = 0

    var count: Int { slots.count - head }
    var isEmpty: Bool { head == slots.count }
    var first: Element? { isEmpty ? nil : slots[head] }
    var last: Element? { slots.last ?? nil }

    /// The element at a place; the first has place 0.
    subscript(place: Int) -> Element {
        guard let element = slots[head + place] else { preconditionFailure("a slot in use has no element") }
        return element
    }

    mutating func append(_ element: Element) {
        slots.append(element)
    }

    /// Inserts an element before the one at a place, and moves the shorter part of the others.
    mutating func insert(_ element: Element, at place: Int) {
        let count = count
        guard place < count / 2 else {
            moved &+= count - place
            return slots.insert(element, at: head + place)
        }
        if head == 0 {
            // As much free room at the front as there are elements, so that this happens rarely.
            moved &+= count
            slots.insert(contentsOf: repeatElement(nil, count: count), at: 0)
            head = count
        }
        head -= 1
        moved &+= place
        for slot in head..<head + place { slots.swapAt(slot, slot + 1) }
        slots[head + place] = element
    }

    mutating func popFirst() -> Element? {
        guard head < slots.count else { return nil }
        let element = slots[head]
        slots[head] = nil
        head += 1
        if head > 1024, head / 2 > count {
            moved &+= count
            slots.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func removeAll() {
        slots = []
        head = 0
    }
}
