/// One packet of a capture, before its layers are looked at.
struct CapturedPacket {
    /// The link-layer header type (the registry of LINKTYPE values of tcpdump.org).
    var link: UInt32
    /// Nanoseconds since 1970 UTC.
    var time: Int64
    /// What was captured of it. A part of the reader's buffer: hold it no longer than until the next bytes are given.
    var bytes: ArraySlice<UInt8>
    /// How long it was on the wire; more than the bytes when the capture cut it.
    var originalLength: Int
    /// Its comments (`opt_comment`).
    var comments: [String] = []
    /// Whether the capture says that it came in (`epb_flags`, bits 0 and 1: 01 inbound, 10 outbound); nil when it does
    /// not say.
    var isInbound: Bool?
}
