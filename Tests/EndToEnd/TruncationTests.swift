import Testing

/// A truncated stream must never look complete: everything that came before the cut arrives, then a reset.
struct TruncationTests {
    private static let size = 6 << 20

    @Test(.needs("python3"), arguments: ["copy", "splice"])
    func upstream_thatResetsInMidStream_resetsTheClientAfterEveryByte(pump: String) async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.puppet()
            let spec = "127.0.0.1:0:\(try await puppet.listen("upstream"))"
            // Shown traffic is copied; --print is fast enough if only the test reads its output.
            let tapline = try await scene.forward(spec, options: pump == "copy" ? ["--print", "hex"] : [])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await cut(puppet, from: "server", to: "client")
            let records = pump == "copy" ? tapline.program.errors : tapline.program.output
            let record = try EndRecord(json: try await records.first(where: EndRecord.isRecord)[0])
            #expect(record.bytesDown == UInt64(Self.size) && record.bytesUp == 0)
            #expect(record.reason == "upstream_reset" && record.closedBy == "upstream" && record.errno == "ECONNRESET")
        }
    }

    @Test(.needs("python3")) func client_thatResetsInMidStream_resetsTheUpstreamAfterEveryByte() async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await cut(puppet, from: "client", to: "server")
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == UInt64(Self.size) && record.bytesDown == 0)
            #expect(record.reason == "client_reset" && record.closedBy == "client" && record.errno == "ECONNRESET")
        }
    }

    /// A reader that sleeps until after the reset, with more in transit than any socket buffer holds.
    @Test(.needs("python3")) func reset_behindASleepingReader_staysBehindTheBytes() async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            // Until nothing fits any more: both of the relay's buffers, its pipe and the client's are full.
            let sent = try await puppet.fill("server")
            async let received = puppet.receiveToEnd("client")
            try await puppet.flush("server")
            try await puppet.reset("server")
            let answer = try await received
            #expect(answer.count == sent && answer.end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.bytesDown == UInt64(sent) && record.reason == "upstream_reset")
        }
    }

    private func cut(_ puppet: Puppet, from source: String, to destination: String) async throws {
        async let received = puppet.receiveToEnd(destination)
        let hash = try await puppet.send(source, count: Self.size)
        // Bytes that a resetting socket has not sent are lost, also without a relay.
        try await puppet.flush(source)
        try await puppet.reset(source)
        let answer = try await received
        #expect(answer.count == Self.size && answer.sha256 == hash)
        #expect(answer.end == "reset")
    }
}
