/// A dictionary by connection ID with a direct-mapped cache, so that most lookups need no hashing: IDs are consecutive,
/// so the low bits of open connections' IDs rarely collide.
///
/// A value, for one thread at a time. An ID must not be used again after its removal.
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
    /// The cache: for each value of the low bits, the ID looked up last. The count is a power of two.
    @usableFromInline var slots: [Slot?]

    /// The largest cache, 1 MiB. With more connections the cost of hashing is negligible.
    @usableFromInline static var mostSlots: Int { 32 << 10 }

    /// An empty table.
    @inlinable
    public init() {
        slots = Array(repeating: nil, count: 64)
    }

    /// The value of an ID. Setting nil removes it.
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

    /// Removes an ID and returns its value.
    @inlinable
    public mutating func removeValue(forKey id: UInt64) -> Value? {
        defer { self[id] = nil }
        return self[id]
    }
}
