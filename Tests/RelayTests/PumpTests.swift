import Testing

@testable import Relay

@Suite struct PumpTests {
    @Test(
        arguments: [
            (.init(), .copy), (.init(tapsNeedBytes: true), .copy),
            (.init(tapsNeedBytes: true, mustBeWhole: true), .copyWhole), (.init(legsCanSplice: false), .copy),
            (.init(hasPipe: true), .splice), (.init(hasPipe: true, legsCanSplice: false), .emptyPipe),
            (.init(hasPipe: true, tapsNeedBytes: true), .emptyPipe),
            (.init(hasPipe: true, tapsNeedBytes: true, mustBeWhole: true), .emptyPipe),
        ] as [(Pump.Conditions, Pump)])
    func pump_followsFromTheConditions(conditions: Pump.Conditions, pump: Pump) {
        #expect(Pump(conditions) == pump)
        #expect(conditions.maySplice == (conditions.legsCanSplice && !conditions.tapsNeedBytes))
    }
}
