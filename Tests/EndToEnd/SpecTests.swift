import Foundation
import Testing

/// Every form of a SPEC, with a conversation.
struct SpecTests {
    /// Sends a message through the relay and gets an answer.
    private func converse(_ puppet: Puppet, through address: String) async throws {
        try await puppet.connect("client", to: address)
        try await puppet.accept("server", from: "upstream")
        try await puppet.send("client", "question")
        #expect(try await puppet.receive("server", count: 8).text == "question")
        try await puppet.send("server", "answer")
        #expect(try await puppet.receive("client", count: 6).text == "answer")
        try await puppet.close("client")
        #expect(try await puppet.receiveToEnd("server").end == "fin")
        try await puppet.close("server")
    }

    @Test(.needs("python3")) func barePort_listensOnBothLoopbacks() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward("0:\(upstream)", listeners: 2)
            // Port 0 is one free port for both.
            #expect(tapline.listeners == ["127.0.0.1:\(tapline.port)", "[::1]:\(tapline.port)"])
            for address in tapline.listeners { try await converse(puppet, through: address) }
            let records = try await tapline.records(2)
            #expect(records.map(\.listener) == tapline.listeners)
            #expect(records[1].client.hasPrefix("[::1]:"))
            let name = upstream.replacing(":", with: "-")
            #expect(records.allSatisfy { $0.relay == name && $0.bytesUp == 8 && $0.bytesDown == 6 })
        }
    }

    @Test(.needs("python3"), arguments: ["*", "0.0.0.0", "localhost", "[::1]"])
    func bindForms_listenWhereTheySay(bind: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let expected = [
                "*": ["0.0.0.0:", "[::]:"], "0.0.0.0": ["0.0.0.0:"], "localhost": ["127.0.0.1:", "[::1]:"],
                "[::1]": ["[::1]:"],
            ]
            let starts = try #require(expected[bind])
            let tapline = try await scene.forward("\(bind):0:\(upstream)", listeners: starts.count)
            #expect(tapline.listeners == starts.map { "\($0)\(tapline.port)" })
            for start in starts {
                let host = start.hasPrefix("[") ? "[::1]" : "127.0.0.1"
                try await converse(puppet, through: "\(host):\(tapline.port)")
            }
            // An IPv4 client is IPv4 in its record, whatever the socket.
            let clients = try await tapline.records(starts.count).map(\.client)
            #expect(clients.map { $0.hasPrefix("[") } == starts.map { $0.hasPrefix("[") })
        }
    }

    @Test(.needs("python3")) func upstream_onIPv6_isReached() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream", "[::1]:0")
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)")
            try await converse(puppet, through: tapline.address)
            let record = try await tapline.records()[0]
            #expect(record.upstream == upstream && record.upstreamAddress == upstream)
        }
    }

    /// If localhost is also ::1, nothing listens there, and the other address is used.
    @Test(.needs("python3")) func upstream_byName_isReached() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let name = "localhost:\(upstream.split(separator: ":")[1])"
            let tapline = try await scene.forward("127.0.0.1:0=\(name)")
            try await converse(puppet, through: tapline.address)
            let record = try await tapline.records()[0]
            #expect(record.upstream == name && record.upstreamAddress == upstream)
        }
    }

    @Test(.needs("python3")) func unixSockets_onBothSides_carryAConversation() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream", "unix:\(scene.path("app.sock"))")
            let path = scene.path("front.sock")
            let tapline = try await scene.forward("unix:\(path)=\(upstream)")
            #expect(tapline.listeners == ["unix:\(path)"])
            try await converse(puppet, through: tapline.address)
            let record = try await tapline.records()[0]
            #expect(record.client == "unix:" && record.listener == "unix:\(path)")
            #expect(record.upstream == upstream && record.upstreamAddress == upstream)
            #expect(record.reason == "client_closed" && record.bytesUp == 8)
        }
    }

    @Test(.needs("python3")) func severalSpecs_areSeveralRelaysOfOneProcess() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let path = scene.path("front.sock")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", "127.0.0.1:0=\(upstream)", "unix:\(path)=\(upstream)")
            #expect(Set(tapline.listeners).count == 3)
            for address in tapline.listeners { try await converse(puppet, through: address) }
            let name = upstream.replacing(":", with: "-")
            #expect(try await tapline.records(3).map(\.relay) == [name, "\(name)-2", "front.sock"])
        }
    }
}
