import Foundation
import Testing

/// `FAULTS.md`: a child process inherits no descriptor.
struct InheritanceFaultTests {
    /// A relay that streams, records, serves the API, watches its configuration and looks names up has no descriptor
    /// that a child process would inherit.
    @Test(.needs("python3", "curl")) func descriptors_ofEverythingAtOnce_areClosedOnExec() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await puppet.listen("upstream").split(separator: ":")[1]
            let tapline = try await scene.run(
                relays: """
                      - { name: plain, listen: 127.0.0.1:0, upstream: 'localhost:\(port)' }
                      - name: taped
                        listen: ['127.0.0.1:0', 'unix:\(scene.path("front.sock"))']
                        upstream: localhost:\(port)
                        record: { directory: \(scene.path("recordings")) }
                    """, more: "admin: { listen: 127.0.0.1:0 }\nworkers: 2", listeners: 3)
            let admin = try await scene.admin(of: tapline)
            for (number, address) in tapline.listeners.enumerated() {
                try await puppet.connect("\(number)", to: address)
                try await puppet.accept("\(number)'", from: "upstream")
                try await puppet.fill("\(number)'", quiet: 0.3)
            }
            // A stream of the API, which stays open.
            try await puppet.connect("events", to: admin.address)
            try await puppet.send("events", "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await puppet.receive("events", count: 12)
            // The recorder's thread opens the file.
            try await scene.eventually("a recording is open") {
                try tapline.footing().descriptors.keys.contains { $0.hasSuffix(".pcapng") }
            }
            let found = try ProcessFacts.descriptors(of: tapline.pid)
            var kinds: Set<String> = []
            for fd in found where (Int(fd) ?? 0) > 2 {
                let process = "/proc/\(tapline.pid)"
                // One that was closed since the listing is gone.
                guard let kind = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(process)/fd/\(fd)"),
                    let facts = try? String(contentsOfFile: "\(process)/fdinfo/\(fd)", encoding: .utf8)
                else { continue }
                kinds.insert(String(kind.prefix { $0 != "[" && $0 != ":" }))
                let flags = try #require(facts.firstMatch(of: /flags:\s*([0-7]+)/).flatMap { Int($0.1, radix: 8) })
                #expect(flags & Int(O_CLOEXEC) != 0, "descriptor \(fd), \(kind), would be inherited")
            }
            // All expected kinds were found.
            #expect(kinds.isSuperset(of: ["socket", "pipe", "anon_inode"]), "\(kinds)")
            #expect(kinds.contains { $0.hasSuffix(".pcapng") } && kinds.contains(scene.path("recordings")), "\(kinds)")
        }
    }
}
