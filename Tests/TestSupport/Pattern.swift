internal import Glibc

/// An endless sequence of bytes that follows from a seed, so that a receiver can check every byte and its position
/// without having seen it sent.
///
/// It is a window into one block of random bytes that repeats. The block's length is a prime, so bytes that are lost,
/// duplicated or reordered by any realistic amount do not match. Comparing uses `memcmp`, which is fast in debug builds
/// too.
public struct Pattern: Hashable, Sendable {
    private static let period = 1_000_003
    private static let block: [UInt8] = {
        var random = SeededRandom(seed: 0x7461_706C_696E_65)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(period + 8)
        while bytes.count < period {
            withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - period)
        return bytes
    }()

    private let start: Int

    /// The sequence of a seed.
    public init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        start = Int(random.next() % UInt64(Self.period))
    }

    /// Its first bytes.
    public func bytes(_ count: Int) -> [UInt8] {
        precondition(count < Self.period)
        return (0..<count).map { Self.block[(start + $0) % Self.period] }
    }

    /// Lends the contiguous bytes from a position on, at most `limit`.
    func withBytes<Result>(
        at position: Int, limit: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let offset = (start + position) % Self.period
        let count = min(limit, Self.period - offset)
        return try Self.block.withUnsafeBytes { block in
            try body(UnsafeRawBufferPointer(rebasing: block[offset..<offset + count]))
        }
    }

    /// The first difference of bytes that should be at a position; nil if there is none.
    func firstDifference(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int? {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let (count, isEqual) = withBytes(at: position + done, limit: rest.count) { expected in
                guard let left = expected.baseAddress, let right = rest.baseAddress else { return (0, false) }
                return (expected.count, memcmp(left, right, expected.count) == 0)
            }
            guard isEqual else {
                let index = (0..<count).first { index in
                    withBytes(at: position + done + index, limit: 1) { $0[0] != rest[index] }
                }
                return position + done + (index ?? 0)
            }
            done += count
        }
        return nil
    }
}

/// SplitMix64: a small generator that returns the same numbers for the same seed everywhere.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator with a seed.
    public init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
