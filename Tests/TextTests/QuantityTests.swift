import Testing
import Text

struct QuantityTests {
    @Test func number_hasItsNoun() {
        #expect(Quantity.number(0, "relay") == "0 relays" && Quantity.number(1, "relay") == "1 relay")
    }
}
