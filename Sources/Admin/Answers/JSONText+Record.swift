internal import Relay
internal import Text

extension JSONText {
    /// An object that begins with the end record's keys.
    mutating func object(of record: ConnectionRecord, _ body: (inout JSONText) -> Void = { _ in }) {
        object(beginningWith: { record.addFields(to: &$0, in: &$1) }, body)
    }
}
