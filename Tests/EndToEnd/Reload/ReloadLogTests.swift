import Foundation
import TestSupport
import Testing

/// The log settings change while lines are written.
struct ReloadLogTests {
    @Test(.needs("python3", "curl")) func anotherLog_closesNothing_andLosesNoRecord() async throws {
        try await reloadScene { bench in
            let relays = [(name: "web", address: bench.first)]
            let file = bench.scene.path("access.log")
            let more = "admin: { listen: 'unix:\(bench.scene.path("admin.sock"))' }"
            try Files.write(bench.text(relays, more: more), to: bench.path)
            let tapline = try await bench.run()
            let admin = try await bench.scene.admin(of: tapline)
            try await bench.begin(bench.first, "old")
            let logs = [
                "format: json, access: '\(file)'", "format: json, access: off", "format: text, access: '\(file)'",
                "format: json, access: stderr", "format: json, level: debug",
            ]
            for (place, log) in logs.enumerated() {
                try await bench.converse(bench.first)
                // The worker answers when it has passed the record to the log that is in force until now.
                let ended = "{relay=\"web\",reason=\"client_closed\",closed_by=\"client\"} \(place + 1)\n"
                try await admin.await("its end", "/metrics") { answer in
                    answer.body.contains("tapline_connections_ended_total" + ended) ? true : nil
                }
                try Files.replace(bench.path, with: bench.text(relays, log: log, more: more))
                try await bench.reloaded(tapline, place + 2)
                try await bench.exchange("old")
            }
            try await bench.end("old")
            // On standard output: before the first change, and after the last one.
            #expect(try await tapline.stop().map(\.generation) == [1, 1])
            let written = try #require(Files.read(file)).split(separator: "\n")
            #expect(written.count == 2)
            #expect(written.first?.contains("\"generation\":2") == true)
            #expect(written.last?.contains("generation=4 ") == true)
            let errors = tapline.program.errors.all
            #expect(errors.filter(EndRecord.isRecord).count == 1)
            #expect(errors.contains { $0.hasPrefix("20") && $0.contains(" notice reloaded: log.format json → text") })
        }
    }

    @Test(.needs("python3")) func aQuieterLog_saysThatItIs_andThenNothing() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            let relays = [(name: "web", address: bench.first)]
            try Files.replace(bench.path, with: bench.text(relays, log: "format: json, level: error"))
            #expect(try await bench.reloaded(tapline, 2).contains("log.level info → error"))
            // Not logged, and in force by the time of the next reload.
            try Files.replace(bench.path, with: bench.added)
            #expect(try await bench.reloaded(tapline, 3).contains("log.level error → info"))
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func aSignal_reopensTheAccessLog() async throws {
        try await reloadScene { bench in
            let file = bench.scene.path("access.log")
            let log = "format: json, level: debug, access: '\(file)'"
            try Files.write(bench.text([("web", bench.first)], log: log), to: bench.path)
            let tapline = try await bench.run()
            try await bench.converse(bench.first)
            try await bench.scene.eventually("its record is written") {
                Files.read(file)?.contains("\"id\":1") == true
            }
            try Files.move(file, to: file + ".1")
            try await tapline.program.send(SIGHUP)
            try await tapline.program.errors.line(containing: "configuration unchanged")
            try await bench.converse(bench.first)
            try await tapline.stop()
            #expect(Files.read(file)?.contains("\"id\":2") == true)
            #expect(Files.read(file + ".1")?.contains("\"id\":1") == true)
        }
    }

    @Test(.needs("python3")) func anAccessLogThatCannotBeOpened_isRejectedWithItsPlace() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            let log = "format: json, access: ./missing/access.log"
            try Files.replace(bench.path, with: bench.text([("web", bench.first), ("cache", bench.second)], log: log))
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("\(bench.path):1:30: cannot open \(bench.folder)/missing/access.log for writing: "))
            try await bench.converse(bench.first)
            #expect(try await tapline.stop().map(\.generation) == [1])
        }
    }
}
