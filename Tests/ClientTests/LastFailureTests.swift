import Testing
import Text

@testable import Client

/// The connection that `why` explains without an id.
struct LastFailureTests {
    private func id(of reasons: [String]) throws -> UInt64? {
        // Newest first, as in an answer.
        let records = reasons.enumerated().map { #"{"id":\#(reasons.count - $0.offset),"reason":"\#($0.element)"}"# }
        return LastFailure.id(of: try JSONReader.read(Array("[\(records.joined(separator: ","))]".utf8)).elements)
    }

    @Test(
        arguments: [
            ([], nil), (["client_closed"], 1), (["client_closed", "connect_refused", "client_reset"], 2),
            (["killed", "drained", "upstream_closed"], 3), (["lifetime", "connect_refused"], 2),
        ] as [([String], UInt64?)])
    func lastFailure_isChosen_orElseTheLastEnd(_ reasons: [String], _ expected: UInt64?) throws {
        #expect(try id(of: reasons) == expected)
    }
}
