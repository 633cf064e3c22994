import Testing

/// How connections of all kinds of sockets end, as their recordings show it.
struct RecordedEndTests {
    @Test(.needs("python3", "tshark"), arguments: ["client", "upstream"])
    func halfClose_ofEitherSide_isAFINOfItsOwn(first: String) async throws {
        try await scene { scene in
            let bench = try await RecordingBench(scene)
            try await bench.open("a")
            let (one, other) = first == "client" ? ("a", "a'") : ("a'", "a")
            let early = try await bench.send(70_000, from: one, to: other)
            try await bench.finish(one, to: other)
            let late = try await bench.send(500_000, from: other, to: one)
            try await bench.awaitRecorded(570_000)
            try await bench.finish(other, to: one)
            let (record, wireshark, facts) = try await bench.dissection()
            try await wireshark.expectWhole([0: .whole])
            #expect(record.reason == "\(first)_closed")
            #expect(record.recordedBytes == 570_000 && record.droppedBytes == 0)
            let conversation = try #require(facts.conversations.first)
            #expect(facts.troubles == [] && facts.conversations.count == 1)
            #expect(conversation.ends == 2 && !conversation.isReset && conversation.reason == record.reason)
            let (up, down) = first == "client" ? (early, late) : (late, early)
            #expect(conversation.up.isWhole(up) && conversation.down.isWhole(down))
            let followed = try await scene.follow(bench.path)
            #expect(followed.first.isWhole(up) && followed.second.isWhole(down))
            // The second FIN follows the bytes that came after the first.
            let flags = try await wireshark.fields(["tcp.flags.fin", "tcp.len"]).map { ($0[0], Int($0[1]) ?? 0) }
            let firstEnd = try #require(flags.firstIndex { $0.0 == "1" })
            #expect(flags[firstEnd...].reduce(0) { $0 + $1.1 } == 500_000)
        }
    }

    /// Bytes beyond `max_bytes` are not missing, however the connection ends.
    @Test(.needs("python3"), arguments: ["fin", "reset"])
    func bytesPastTheMost_areNoGap(end: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let folder = scene.path("recordings")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        record: { directory: '\(folder)', max_bytes: 1000B, when_full: block }
                    """)
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("a'", from: "upstream")
            try await puppet.pass(50_000, from: "a", to: "a'")
            try await puppet.pass(30_000, from: "a'", to: "a")
            if end == "reset" { try await puppet.reset("a'") } else { try await puppet.finish("a'") }
            #expect(try await puppet.receiveToEnd("a").end == end)
            if end == "fin" { try await puppet.finish("a") }
            let record = try #require(try await tapline.stop().first)
            #expect(record.recordedBytes == 2000 && record.droppedBytes == 0)
            let facts = try await scene.facts(of: try scene.recordings(in: folder))
            let one = try #require(facts.conversations.first)
            #expect(facts.troubles == [] && facts.files.allSatisfy { $0.droppedSegments == 0 })
            #expect(one.up.count == 1000 && one.down.count == 1000)
            #expect(one.up.missing == 0 && one.down.missing == 0 && one.gaps == 0 && one.dropped == 0)
        }
    }

    @Test(.needs("python3", "tshark"), arguments: ["client", "upstream"])
    func reset_byEitherSide_isARSTThatSaysWhy(side: String) async throws {
        try await scene { scene in
            let bench = try await RecordingBench(scene)
            try await bench.open("a")
            let up = try await bench.send(100_000, from: "a", to: "a'")
            let down = try await bench.send(300_000, from: "a'", to: "a")
            try await bench.awaitRecorded(400_000)
            let (one, other) = side == "client" ? ("a", "a'") : ("a'", "a")
            try await bench.puppet.reset(one)
            #expect(try await bench.puppet.receiveToEnd(other).end == "reset")
            let (record, wireshark, facts) = try await bench.dissection()
            try await wireshark.expectWhole([0: .resetAfterData])
            let conversation = try #require(facts.conversations.first)
            #expect(record.reason == "\(side)_reset" && conversation.reason == record.reason)
            #expect(conversation.up.isWhole(up) && conversation.down.isWhole(down))
            let resets = try await wireshark.fields(["tcp.dstport", "frame.comment"], where: "tcp.flags.reset == 1")
            #expect(resets.count == 1 && resets[0][1].contains("reason=\(side)_reset closed_by=\(side)"))
            // It comes from the side that reset.
            let port = try #require(bench.puppetPort(conversation.client))
            #expect((resets[0][0] == port) == (side == "upstream"))
        }
    }

    @Test(.needs("python3", "tshark")) func connection_withoutAByte_isWholeToo() async throws {
        try await scene { scene in
            let bench = try await RecordingBench(scene)
            try await bench.open("a")
            try await bench.finish("a", to: "a'")
            try await bench.finish("a'", to: "a")
            let (_, wireshark, facts) = try await bench.dissection()
            try await wireshark.expectWhole([0: .wholeWithoutData])
            #expect(facts.conversations.first?.ends == 2)
        }
    }

    @Test(.needs("python3", "tshark")) func upstream_thatRefuses_isASYNAndARST() async throws {
        try await scene { scene in
            let bench = try await RecordingBench(scene)
            try await bench.puppet.close("upstream")
            try await bench.puppet.connect("a", to: bench.tapline.address)
            #expect(try await bench.puppet.receiveToEnd("a").end == "reset")
            let (record, wireshark, facts) = try await bench.dissection()
            try await wireshark.expectWhole([0: .refused])
            #expect(record.reason == "connect_refused" && facts.conversations.first?.reason == "connect_refused")
            #expect(record.recordedBytes == 0 && record.droppedBytes == 0)
        }
    }

    /// IPv4, IPv6 and Unix sockets on either side.
    @Test(
        .needs("python3", "tshark"),
        arguments: [
            ("[::1]:0", "[::1]:0"), ("127.0.0.1:0", "[::1]:0"), ("[::1]:0", "127.0.0.1:0"), ("unix", "127.0.0.1:0"),
            ("127.0.0.1:0", "unix"), ("unix", "unix"), ("[::1]:0", "unix"),
        ])
    func addresses_areTheClientsAndTheListeners(listen: String, upstream: String) async throws {
        try await scene { scene in
            let bench = try await RecordingBench(
                scene, listen: listen == "unix" ? "unix:\(scene.path("front.sock"))" : listen,
                upstream: upstream == "unix" ? "unix:\(scene.path("back.sock"))" : upstream)
            let client = try await bench.open("a")
            let up = try await bench.send(200_000, from: "a", to: "a'")
            let down = try await bench.send(400_000, from: "a'", to: "a")
            try await bench.awaitRecorded(600_000)
            try await bench.finish("a", to: "a'")
            try await bench.finish("a'", to: "a")
            let (record, wireshark, facts) = try await bench.dissection()
            try await wireshark.expectWhole([0: .whole])
            let followed = try await scene.follow(bench.path)
            #expect(followed.first.isWhole(up) && followed.second.isWhole(down))
            let conversation = try #require(facts.conversations.first)
            // Substitutes if a Unix socket has no address.
            #expect(conversation.client == (listen == "unix" ? "127.85.0.0:\(49152 + record.id)" : client))
            let host = listen == "unix" ? "127.0.0.1" : bench.tapline.address.split(at: ":").host
            let port =
                upstream == "unix"
                ? listen == "unix" ? "1" : "\(bench.tapline.port)" : record.upstream.split(at: ":").port
            #expect(conversation.server == "\(host):\(port)")
            #expect(facts.files[0].interfaces.first?.contains(bench.tapline.address) == true)
            #expect(conversation.comments.contains { $0.contains(" upstream=\(record.upstream)") })
        }
    }
}

extension RecordingBench {
    /// The port of an address.
    fileprivate func puppetPort(_ address: String) -> String? { address.split(separator: ":").last.map(String.init) }
}

extension String {
    /// An address in two parts.
    fileprivate func split(at mark: Character) -> (host: Substring, port: Substring) {
        guard let place = lastIndex(of: mark) else { return (self[...], "") }
        return (self[..<place], self[index(after: place)...])
    }
}
