import Testing

@testable import Relay

@Suite struct PumpTests {
    @Test(
        arguments: [
            (false, false, false, .copy), (false, true, false, .copy), (false, true, true, .copyWhole),
            // A recording that must be whole has reached its limit.
            (false, false, true, .copy), (true, false, false, .splice), (true, false, true, .splice),
            (true, true, false, .emptyPipe), (true, true, true, .emptyPipe),
        ] as [(Bool, Bool, Bool, Pump)])
    func pump_followsFromTheConditions(hasPipe: Bool, tapsNeedBytes: Bool, mustBeWhole: Bool, pump: Pump) {
        let conditions = Pump.Conditions(
            hasPipe: hasPipe, tapsNeedBytes: tapsNeedBytes, mustBeWhole: mustBeWhole)
        #expect(Pump(conditions) == pump)
    }
}
