import Recording
import Testing

@Suite struct IDTableTests {
    @Test func ids_thatEndInTheSameBits_areDistinguished() {
        var table = IDTable<String>()
        // For any number of slots, which is a power of two.
        let ids: [UInt64] = [7, 7 + 1 << 32, 7 + 2 << 40, .max - 56]
        for id in ids { table[id] = "\(id)" }
        for _ in 0..<2 {
            for id in ids { #expect(table[id] == "\(id)") }
        }
        table[7] = nil
        #expect(table[7] == nil)
        #expect(table[7 + 1 << 32] == "\(7 + 1 << 32 as UInt64)")
        #expect(table.removeValue(forKey: 7 + 2 << 40) == "\(7 + 2 << 40 as UInt64)")
        #expect(table[7 + 2 << 40] == nil && table.removeValue(forKey: 7 + 2 << 40) == nil)
    }

    @Test func manyThatComeAndGo_areAllFound() {
        var table = IDTable<UInt64>()
        var held: Set<UInt64> = []
        for id in UInt64(1)...20_000 {
            table[id] = id &* 3
            held.insert(id)
            // Most are removed soon; some stay.
            if id > 5000, id % 7 != 0, held.remove(id - 5000) != nil { table[id - 5000] = nil }
        }
        for id in UInt64(1)...20_000 { #expect(table[id] == (held.contains(id) ? id &* 3 : nil)) }
    }

    @Test func copies_goTheirOwnWays() {
        var table = IDTable<Int>()
        table[1] = 1
        var copy = table
        copy[1] = 2
        copy[2] = 2
        #expect(table[1] == 1 && table[2] == nil && copy[1] == 2)
    }
}
