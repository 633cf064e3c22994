internal import TLS

/// What a peer and Tapline have exchanged on one leg to agree on TLS, in the messages of their protocol. A recording of
/// the encrypted leg begins with it, because Wireshark finds the protocol, and TLS inside of it, by these messages.
///
/// Owned by the stages' context, from the first message until the session begins.
struct OpeningDialogue {
    /// Bytes that were received or sent together.
    struct Message {
        let way: TLSObserver.Way
        let bytes: ArraySlice<UInt8>
        /// When, by the monotonic clock.
        let ticks: UInt64
    }

    /// The most bytes that are kept: far more than an ordinary dialogue has. Of a longer one these are the last ones, with
    /// the command and the answer that TLS follows.
    static let most = 64 << 10

    private(set) var messages: ArraySlice<Message> = []
    /// Earlier bytes that were not kept.
    private(set) var receivedBefore = 0
    private(set) var sentBefore = 0
    private var count = 0

    mutating func add(_ bytes: [UInt8], _ way: TLSObserver.Way, at ticks: UInt64) {
        let kept = bytes.suffix(Self.most)
        if kept.count < bytes.count { omit(bytes.count - kept.count, way) }
        messages.append(Message(way: way, bytes: kept, ticks: ticks))
        count += kept.count
        while count > Self.most, let first = messages.popFirst() {
            count -= first.bytes.count
            omit(first.bytes.count, first.way)
        }
    }

    private mutating func omit(_ count: Int, _ way: TLSObserver.Way) {
        if way == .received { receivedBefore += count } else { sentBefore += count }
    }
}
