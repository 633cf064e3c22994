/// A queue with removal at the front and insertion at any index.
///
/// Removing the first element moves no others: its slot stays free until free slots are most of the memory. The element
/// is released at once.
struct Queue<Element> {
    private var slots: [Element?] = []
    /// The first slot in use.
    private var head = 0
    /// The number of element moves so far, for tests of the cost.
    private(set) var moved = 0

    var count: Int { slots.count - head }
    var isEmpty: Bool { head == slots.count }
    var first: Element? { isEmpty ? nil : slots[head] }
    var last: Element? { slots.last ?? nil }

    /// The element at an index; the first has index 0.
    subscript(index: Int) -> Element {
        guard let element = slots[head + index] else { preconditionFailure("a slot in use has no element") }
        return element
    }

    mutating func append(_ element: Element) {
        slots.append(element)
    }

    /// Inserts an element before the one at an index, and moves the shorter part of the others.
    mutating func insert(_ element: Element, at index: Int) {
        let count = count
        guard index < count / 2 else {
            moved &+= count - index
            return slots.insert(element, at: head + index)
        }
        if head == 0 {
            // Adds as many free slots as there are elements, so that this happens rarely.
            moved &+= count
            slots.insert(contentsOf: repeatElement(nil, count: count), at: 0)
            head = count
        }
        head -= 1
        moved &+= index
        for slot in head..<head + index { slots.swapAt(slot, slot + 1) }
        slots[head + index] = element
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
