import EventLoop
import Sockets
import TestSupport
import Testing

@Suite struct NameLookupTests {
    @Test func lookup_localhost_givesLoopbackAddressesWithoutPortAndOnce() async throws {
        try await LoopHarness.run { harness in
            let done = harness.mustCall("answer")
            var isInsideInit = true
            _ = try NameLookup(loop: harness.loop, host: "localhost") { result in
                #expect(!isInsideInit)
                let addresses = (try? result.get()) ?? []
                #expect(!addresses.isEmpty)
                for address in addresses {
                    #expect(address.isLoopback)
                    #expect(address.port == 0)
                }
                #expect(Set(addresses).count == addresses.count)
                done()
            }
            isInsideInit = false
            try harness.turnUntilCalled()
        }
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func lookup_numericAddress_givesIt(host: String) async throws {
        try await LoopHarness.run { harness in
            let done = harness.mustCall("answer")
            _ = try NameLookup(loop: harness.loop, host: host) { result in
                #expect((try? result.get()) == SocketAddress(numericHost: host, port: 0).map { [$0] })
                done()
            }
            try harness.turnUntilCalled()
        }
    }

    /// `.invalid` never exists (RFC 6761); without a name server the lookup fails otherwise.
    @Test func lookup_nameThatDoesNotExist_fails() async throws {
        try await LoopHarness.run { harness in
            let done = harness.mustCall("answer")
            _ = try NameLookup(loop: harness.loop, host: "does-not-exist.invalid") { result in
                switch result {
                case .success(let addresses): Issue.record("it exists: \(addresses)")
                case .failure(.notFound): break
                case .failure(.failed(let words)): #expect(!words.isEmpty)
                }
                done()
            }
            try harness.turnUntilCalled()
        }
    }

    @Test func lookup_cancelled_reportsNothingAndLetsTheLoopEnd() async throws {
        try await Exclusive.run {
            let loop = try EventLoop()
            // More lookups than threads in the pool, so that some are cancelled before they start.
            let lookups = try (0..<32).map { _ in
                try NameLookup(loop: loop, host: "localhost") { Issue.record("reported \($0) after cancel") }
            }
            for lookup in lookups {
                lookup.cancel()
                lookup.cancel()
            }
            loop.run()
            loop.close()
        }
    }

    @Test func lookup_nameTooLong_throws() async throws {
        try await LoopHarness.run { harness in
            let error = #expect(throws: UVError.self) {
                _ = try NameLookup(loop: harness.loop, host: String(repeating: "a", count: 300)) { _ in
                    Issue.record("an answer")
                }
            }
            #expect(error?.description.isEmpty == false)
        }
    }
}
