public import Relay
internal import Sockets
public import Text

extension ConnectionRecord {
    /// Appends the end record's line. Its keys are a contract: always these, in this order, never absent.
    public func appendEndRecord(as format: LineFormat, to bytes: inout [UInt8]) {
        var line = FieldLine(format, in: &bytes)
        addFields(to: &line, in: &bytes)
        line.end(in: &bytes)
    }

    /// Adds the end record's fields to a line that is being written, in their order.
    public func addFields(to line: inout FieldLine, in bytes: inout [UInt8]) {
        line.add("time", end.map { Timestamp(nanoseconds: $0.time) }, to: &bytes)
        line.add("id", number: id, to: &bytes)
        line.add("relay", relay, to: &bytes)
        line.add("generation", number: generation, to: &bytes)
        line.add("client", clientText, to: &bytes)
        line.add("listener", listener.description, to: &bytes)
        line.add("upstream", upstream, to: &bytes)
        line.add("upstream_address", upstreamAddress?.description, to: &bytes)
        line.add("bytes_up", number: bytesUp, to: &bytes)
        line.add("bytes_down", number: bytesDown, to: &bytes)
        line.add("duration_ms", number: (end?.duration).map(Milliseconds.of), to: &bytes)
        line.add("connect_ms", number: connectDuration.map(Milliseconds.of), to: &bytes)
        line.add("first_byte_ms", number: firstByteDuration.map(Milliseconds.of), to: &bytes)
        line.add("closed_by", closedBy?.rawValue, to: &bytes)
        line.add("reason", end?.reason.rawValue, to: &bytes)
        line.add("errno", end?.errno?.name, to: &bytes)
        line.add("recorded_bytes", number: recordedBytes, to: &bytes)
        line.add("dropped_bytes", number: droppedBytes, to: &bytes)
        line.add("proxied_by", proxiedBy, to: &bytes)
        line.add("unique_id", proxy?.uniqueID, to: &bytes)
        line.add("server_name", hello?.serverName ?? sessions?.serverName, to: &bytes)
        line.add("alpn", hello?.applications, to: &bytes)
        let backlog = backlog
        line.add("waited_for", backlog?.side.rawValue, to: &bytes)
        line.add("held_bytes", number: backlog?.bytes, to: &bytes)
        line.add("waited_ms", number: backlog?.milliseconds, to: &bytes)
        line.add("held_ms", number: hold?.held, to: &bytes)
        line.add("attempts", number: attempts, to: &bytes)
        line.add("tls", sessions?.client.parameters, to: &bytes)
        line.add("tls_peer", sessions?.client.peer, to: &bytes)
        line.add("upstream_tls", sessions?.upstream.parameters, to: &bytes)
        line.add("upstream_tls_peer", sessions?.upstream.peer, to: &bytes)
        line.add("tls_fault", sessions?.fault.map { "the \($0.side.rawValue) \($0.text)" }, to: &bytes)
    }
}
