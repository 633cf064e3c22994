import TestSupport
import Testing

/// The simplest actions of a client, with the record of each.
struct ConversationTests {
    @Test(.needs("python3")) func client_thatConnectsByName_isEchoedAndRecorded() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward("0:\(upstream)", listeners: 2)
            async let client = scene.run(Scene.peer("seed.py") + ["localhost", "\(tapline.port)"])
            try await puppet.accept("server", from: "upstream")
            let words = try await puppet.receive("server", count: 14).text ?? ""
            #expect(words == "Hello, server!")
            try await puppet.send("server", words)
            #expect(try await client == "Hello, server!")
            #expect(try await puppet.receiveToEnd("server").end == "fin")
            try await puppet.close("server")

            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 14 && record.bytesDown == 14)
            #expect(record.closedBy == "client" && record.reason == "client_closed" && record.errno == nil)
            #expect(record.upstream == upstream && record.upstreamAddress == upstream)
            #expect(tapline.listeners.contains(record.listener))
            #expect(record.connectMs != nil && record.firstByteMs ?? -1 >= record.connectMs ?? 0)
            #expect(try await tapline.stop() == [record])
        }
    }

    @Test(.needs("python3")) func upstream_thatSpeaksFirst_isHeardAtOnce() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("server", "220 ready\r\n")
            #expect(try await puppet.receive("client", count: 11).text == "220 ready\r\n")
            try await puppet.close("server")
            #expect(try await puppet.receiveToEnd("client").end == "fin")
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 0 && record.bytesDown == 11 && record.reason == "upstream_closed")
        }
    }

    /// The client ends its half at once, as `nc -N` does without input: bytes from the upstream still arrive.
    @Test(.needs("nc", "python3")) func nc_withoutInput_getsTheGreeting() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            async let greeting = scene.run("nc", "-N", "127.0.0.1", "\(tapline.port)")
            try await puppet.accept("server", from: "upstream")
            #expect(try await puppet.receiveToEnd("server").end == "fin")
            try await puppet.send("server", "late, but whole\n")
            try await puppet.close("server")
            #expect(try await greeting == "late, but whole")
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 0 && record.bytesDown == 16 && record.reason == "client_closed")
        }
    }

    @Test(.needs("nc", "python3")) func nc_withInput_halfClosesAndGetsTheAnswer() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            let client = try scene.start(["nc", "-N", "127.0.0.1", "\(tapline.port)"])
            client.write("question\n")
            client.finishInput()
            try await puppet.accept("server", from: "upstream")
            let asked = try await puppet.receiveToEnd("server")
            #expect(asked.text == "question\n" && asked.end == "fin")
            _ = try await puppet.send("server", count: 300_000)
            try await puppet.close("server")
            #expect(try await client.exit() == .exited(0))
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 9 && record.bytesDown == 300_000 && record.reason == "client_closed")
        }
    }

    @Test(.needs("python3")) func upstream_thatRefuses_isPassedOnAsAReset() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            // Held by this process, so that no other process can listen there.
            let upstream = try "\(PeerListener.refusingAddress())"
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)")
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.reason == "connect_refused" && record.closedBy == "upstream")
            #expect(record.errno == "ECONNREFUSED" && record.upstreamAddress == upstream)
            #expect(record.connectMs == nil && record.firstByteMs == nil)
        }
    }
}
