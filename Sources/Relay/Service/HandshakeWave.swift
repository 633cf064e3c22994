/// The TLS handshakes in progress on one worker, and whether a wave of them has passed.
///
/// A thousand half-open handshakes hold some 75 MiB, which stay with the allocator when they are gone: its free memory is
/// not at the end of its heap. It is then returned, at a moment without traffic.
///
/// On the worker's thread; the stages of the handshakes count themselves.
final class HandshakeWave {
    /// The smallest number of handshakes at once that is a wave: they leave less than 20 MiB, which is not worth a pause.
    static let smallest = 256
    /// The smallest rest of a wave whose memory is returned, too: handshakes that were in progress when it was returned.
    static let smallestRest = 32

    private(set) var inProgress = 0
    /// The most handshakes at once since memory was returned.
    private var most = 0
    private var worthReturning = smallest

    func began() {
        inProgress += 1
        most = max(most, inProgress)
    }

    func ended() {
        inProgress -= 1
    }

    /// There was a wave, and all but a few of its handshakes are gone.
    var hasPassed: Bool { most >= worthReturning && inProgress <= most / 8 }

    /// The memory was returned.
    func returned() {
        most = inProgress
        worthReturning = inProgress >= Self.smallestRest ? Self.smallestRest : Self.smallest
    }
}
