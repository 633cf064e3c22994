/// Bounds the steps of TLS handshakes in one turn of a worker's loop: one step computes for up to a millisecond, and a turn
/// may report hundreds of clients. The others wait for the next turn, after the open connections had theirs.
struct HandshakeBound {
    /// The most steps of one turn: about ten milliseconds with RSA certificates.
    static let most = 16

    private var turn: UInt64 = 0
    private var steps = 0

    /// Whether one more step may be taken in a turn of the loop; it is then counted.
    mutating func take(in turn: UInt64) -> Bool {
        if turn != self.turn {
            self.turn = turn
            steps = 0
        }
        guard steps < Self.most else { return false }
        steps += 1
        return true
    }
}
