/// One packet of a capture, before its layers are parsed.
struct CapturedPacket {
    /// The link-layer header type (the registry of LINKTYPE values of tcpdump.org).
    var link: UInt32
    /// Nanoseconds since 1970 UTC.
    var time: Int64
    /// The captured bytes. A slice of the reader's buffer: do not keep it when adding bytes to the reader.
    var bytes: ArraySlice<UInt8>
    /// The length on the wire; more than the captured bytes if the packet was truncated.
    var originalLength: Int
    /// The comments (`opt_comment`).
    var comments: [String] = []
    /// Whether the packet was inbound (`epb_flags`, bits 0 and 1: 01 inbound, 10 outbound); nil if unknown.
    var isInbound: Bool?
}
