import Sockets
import TestSupport
import Testing

@testable import Recorder
@testable import Relay

struct PendingRecordsTests {
    @Test func record_withMoreLostThanRecorded_hasNothingRecorded() throws {
        var record = ConnectionRecord(
            id: 1, relay: "r", generation: 1, client: .unix(path: ""), listener: .unix(path: "/l"), upstream: "u",
            accepted: 0)
        record.recordedBytes = 10
        let reported = Monitor<[ConnectionRecord]>([])
        let records = PendingRecords { record in reported.withLock { $0.append(record) } }
        let account = TapAccount()
        #expect(account.willNotWrite(25))
        records.add(record, account, RecordingCounters(), taken: 10, isBlocking: false)
        records.recorderFinished(1, account)
        let end = try #require(reported.withLock { $0 }.first)
        #expect(end.recordedBytes == 0 && end.droppedBytes == 25)
    }
}
