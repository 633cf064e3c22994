/// What is kept by the ids of connections, mostly found without hashing: ids follow each other, so the last bits of the
/// ids that are open at a time differ, or nearly.
///
/// A value, for one thread at a time. An id is never used again after it was removed.
@frozen
public struct IDTable<Value> {
    @usableFromInline
    struct Slot {
        @usableFromInline let id: UInt64
        @usableFromInline let value: Value

        @inlinable
        init(id: UInt64, value: Value) {
            self.id = id
            self.value = value
        }
    }

    @usableFromInline var values: [UInt64: Value] = [:]
    /// Of the ids that end in the same bits, the one that was looked up last. A power of two of them.
    @usableFromInline var slots: [Slot?]

    /// So many slots are 1 MiB, and past them hashing is the least of it.
    @usableFromInline static var mostSlots: Int { 32 << 10 }

    /// A table that holds nothing.
    @inlinable
    public init() {
        slots = Array(repeating: nil, count: 64)
    }

    /// Looks an id up, adds or replaces its value, or removes it with nil.
    @inlinable
    public subscript(id: UInt64) -> Value? {
        @inline(__always)
        mutating get {
            let position = Int(truncatingIfNeeded: id) & (slots.count &- 1)
            if let slot = slots[position], slot.id == id { return slot.value }
            return find(id, position)
        }
        set {
            values[id] = newValue
            if values.count > slots.count, slots.count < Self.mostSlots {
                slots = Array(repeating: nil, count: slots.count * 2)
            }
            let position = Int(truncatingIfNeeded: id) & (slots.count &- 1)
            if let newValue {
                slots[position] = Slot(id: id, value: newValue)
            } else if slots[position]?.id == id {
                slots[position] = nil
            }
        }
    }

    @usableFromInline @inline(never)
    mutating func find(_ id: UInt64, _ position: Int) -> Value? {
        guard let value = values[id] else { return nil }
        slots[position] = Slot(id: id, value: value)
        return value
    }

    /// Takes what is kept of an id.
    @inlinable
    public mutating func removeValue(forKey id: UInt64) -> Value? {
        defer { self[id] = nil }
        return self[id]
    }
}
