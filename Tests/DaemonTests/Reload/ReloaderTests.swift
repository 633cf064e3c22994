import Admin
import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

@testable import Daemon

@Suite struct ReloaderTests {
    /// A reloader of a file, with stand-ins for the data plane.
    private final class Bench {
        let folder: String
        var path: String { "\(folder)/t.yaml" }
        var accessLog: String { "\(folder)/access.log" }
        let log = LogCapture()
        let outputs: Outputs
        let status: ProcessStatus
        var applied: [Configuration] = []
        var generations: [Int] = []
        var drains: [Duration] = []
        /// The data plane's error for the next configuration.
        var refusal: SystemError?
        private(set) var reloader: Reloader!
        private var isEnded = false

        init(_ folder: String, _ text: String, environment: [String: String] = [:]) throws {
            self.folder = folder
            try Files.write(text, to: "\(folder)/t.yaml")
            let text = try ConfigurationText(reading: "\(folder)/t.yaml", environment: environment)
            let configuration = try Configuration.parse(text, environment: environment).configuration
            outputs = try Outputs(configuration.log, view: nil)
            status = ProcessStatus(version: "1", path: text.path, directory: folder, configuration: configuration)
            reloader = Reloader(
                Reloader.Origin(text: text, environment: environment), running: configuration, outputs: outputs,
                admin: nil, status: status, journal: Journal(), logger: log.logger
            ) { [unowned self] (configuration, _, _) throws(SystemError) in
                if let refusal { throw refusal }
                return Reloader.PreparedRelays(
                    released: [],
                    commit: { [unowned self] generation, drain in
                        applied.append(configuration)
                        generations.append(generation)
                        drains.append(drain)
                    },
                    abandon: {})
            }
        }

        /// Writes another text, and requests a reload.
        func reload(_ text: String, _ source: ReloadSource = .api) throws -> ReloadOutcome {
            try Files.replace(path, with: text)
            return reloader.reload(source)
        }

        func end() throws {
            guard !isEnded else { return }
            isEnded = true
            let isDone = Monitor(false)
            outputs.finish { isDone.withLock { $0 = true } }
            _ = try isDone.wait(for: "every line is written") { $0 ? true : nil }
            outputs.join()
        }

        /// The last line of the log.
        var lastLine: String { log.all.last ?? "" }
    }

    private func bench(
        _ text: String = file(), environment: [String: String] = [:], _ body: (Bench) throws -> Void
    ) async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let bench = try Bench(folder, text, environment: environment)
                do {
                    try body(bench)
                } catch {
                    try bench.end()
                    throw error
                }
                try bench.end()
            }
        }
    }

    private static func file(_ idle: String = "1h", _ more: String = "", access: String = "off") -> String {
        """
        log: { access: \(access) }
        \(more)
        relays:
          - name: web
            listen: 127.0.0.1:8080
            upstream: example.com:80
            timeouts: { idle: \(idle) }

        """
    }

    @Test func aChange_isAppliedWithTheNextGeneration_andSaidInOneLine() async throws {
        try await bench { bench throws in
            let outcome = try bench.reload(Self.file("10m", "shutdown: { drain: 3s }"))
            guard case .applied(let difference, generation: 2) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(difference.changed.map(\.relay) == ["web"])
            // Not a key path: the standard library's copy of one through an optional overlaps itself, which the address
            // sanitizer reports.
            #expect(bench.applied.map { $0.relays.first?.timeouts.idle } == [.seconds(600)])
            #expect(bench.generations == [2])
            #expect(bench.drains == [.seconds(3)])
            #expect(bench.reloader.running == bench.applied.last)
            #expect(bench.log.all.count == 1)
            #expect(
                bench.lastLine.contains(
                    "notice reloaded: changed web: timeouts.idle 1h → 10m; shutdown.drain 25s → 3s duration_ms="))
            #expect(bench.lastLine.hasSuffix("generation=2 source=API"))
        }
    }

    /// The key of a new certificate often comes a moment later. The text stays as it is, so only the file tells.
    @Test func rejectedConfiguration_isLoadedWhenItsCertificateIsComplete() async throws {
        try await bench { bench throws in
            let issued = try TestAuthority().issue()
            try Files.write(String(decoding: issued.certificate, as: UTF8.self), to: "\(bench.folder)/a.pem")
            let tls = Self.file("1h") + "    tls: { certificates: { chain: a.pem, key: a.key } }\n"
            #expect(try bench.reload(tls).word == "rejected")
            #expect(bench.reloader.certificateFiles == ["a.pem", "a.key"].map { "\(bench.folder)/\($0)" })
            let lines = bench.log.all.count
            bench.reloader.look(.report)
            #expect(bench.applied.isEmpty && bench.reloader.generation == 1)
            #expect(bench.log.all.dropFirst(lines).allSatisfy { $0.hasPrefix("debug ") }, "\(bench.log.all)")

            try Files.write(String(decoding: issued.key, as: UTF8.self), to: "\(bench.folder)/a.key")
            bench.reloader.look(.report)
            #expect(bench.applied.map { $0.relays.first?.tls != nil } == [true] && bench.reloader.generation == 2)

            // A broken pair leaves the old one in force, and is reported once.
            let other = try TestAuthority().issue()
            try Files.write(String(decoding: other.key, as: UTF8.self), to: "\(bench.folder)/a.key")
            let before = bench.log.all.count
            for _ in 1...3 { bench.reloader.look(.report) }
            #expect(bench.reloader.generation == 2)
            #expect(bench.log.all.dropFirst(before).filter { !$0.hasPrefix("debug ") }.count == 1, "\(bench.log.all)")

            // The files are again those in force: nothing to apply, and nothing wrong any more.
            try Files.write(String(decoding: issued.key, as: UTF8.self), to: "\(bench.folder)/a.key")
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("notice configuration unchanged; the problem is gone"))
            #expect(bench.status.now.lastReload?.result == .unchanged && bench.reloader.generation == 2)
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("debug "))
        }
    }

    @Test func theSameConfiguration_isNoGeneration_alsoBySignal() async throws {
        try await bench { bench throws in
            for source in [ReloadSource.signal, .api, .file] {
                let outcome = try bench.reload(Self.file("60m", "# \(source)"), source)
                #expect(outcome.word == "unchanged")
                #expect(bench.lastLine.hasPrefix("debug configuration unchanged"))
            }
            #expect(bench.applied.isEmpty)
            #expect(bench.reloader.generation == 1)
            #expect(bench.log.all.count == 3)
            #expect(bench.status.now.unchanged == 3)
        }
    }

    @Test func workers_needARestart_andTheRestIsApplied() async throws {
        try await bench { bench throws in
            #expect(try bench.reload(Self.file("1h", "workers: 3")).word == "unchanged")
            #expect(bench.lastLine.hasPrefix("notice nothing reloaded: workers auto → 3 needs a restart"))
            #expect(try bench.reload(Self.file("5s", "workers: 3")).word == "applied")
            #expect(bench.lastLine.contains("timeouts.idle 1h → 5s; workers auto → 3 needs a restart"))
            #expect(bench.applied.map(\.workers) == [.automatic])
        }
    }

    @Test func mistakes_areAllSaidWithTheirPlaces_andALaterFixWorks() async throws {
        try await bench { bench throws in
            let outcome = try bench.reload(Self.file("5", "shutdow: {}"), .file)
            guard case .rejected(.problems(let problems)) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(problems.map(\.line) == [2, 7])
            #expect(bench.applied.isEmpty)
            #expect(bench.log.all.count == 1)
            #expect(
                bench.log.contains(
                    "error reload rejected, generation 1 stays active:", "\(bench.path):2:1: unknown key `shutdow`",
                    "\(bench.path):7:23: `idle`", "source=file"))
            #expect(try bench.reload(Self.file("5s")).word == "applied")
            let published = bench.status.now
            #expect(published.rejected == 1 && published.applied == 1 && published.generation == 2)
        }
    }

    @Test func goingBackToWhatIsInForce_afterARejection_isSaidAloud() async throws {
        try await bench { bench throws in
            _ = try bench.reload(Self.file("5"))
            _ = try bench.reload(Self.file())
            #expect(bench.lastLine.hasPrefix("notice configuration unchanged"))
            _ = try bench.reload(Self.file())
            #expect(bench.lastLine.hasPrefix("debug configuration unchanged"))
        }
    }

    @Test func aListenerInUse_isReportedWithItsPosition_andChangesNothing() async throws {
        try await bench { bench throws in
            bench.refusal = SystemError(
                "listen on 127.0.0.1:9 for relay two", Errno(EADDRINUSE), advice: "look there",
                subject: .listener(.ipv4(.loopback, port: 9), relay: "two"))
            let two = "\n  - name: two\n    listen: [unix:/a, 127.0.0.1:9]\n    upstream: a:1\n"
            let text = Self.file(access: bench.accessLog) + two
            #expect(try bench.reload(text).word == "rejected")
            #expect(bench.lastLine.contains("\(bench.path):10:23: cannot listen on 127.0.0.1:9 for relay two: "))
            #expect(bench.reloader.generation == 1)
            #expect(bench.reloader.running.relays.count == 1)
            // The log's new file was prepared, and is not used.
            bench.outputs.write("nowhere\n")
            bench.refusal = nil
            // The text is unchanged; another request applies it.
            #expect(bench.reloader.reload(.api).word == "applied")
            bench.outputs.write("there\n")
            try bench.end()
            #expect(Files.read(bench.accessLog) == "there\n")
        }
    }

    /// The certificates that only a rejected configuration names are watched, whatever was wrong with it.
    @Test func listenerInUse_isTriedAgainWhenAWatchedFileChanges_andReportedOnce() async throws {
        try await bench { bench throws in
            let issued = try TestAuthority().issue()
            try Files.write(String(decoding: issued.certificate + issued.key, as: UTF8.self), to: "\(bench.folder)/b")
            bench.refusal = SystemError("listen on a", Errno(EADDRINUSE))
            let tls = Self.file() + "    tls: { certificates: { chain: b, key: b } }\n"
            #expect(try bench.reload(tls).word == "rejected")
            #expect(Set(bench.reloader.certificateFiles) == ["\(bench.folder)/b"])
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("debug ") && bench.status.now.rejected == 1)
            bench.refusal = nil
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("notice reloaded") && bench.reloader.generation == 2)
        }
    }

    /// The subject of an error decides, not its words.
    @Test(
        arguments: [
            (.file("/log"), ":1:16"), (.file("/other"), ""), (.admin, ":2:18"),
            (.listener(.unix(path: "/a"), relay: "two"), ":5:14"),
            (.listener(.ipv4(.loopback, port: 9), relay: "two"), ":5:23"),
            (.listener(.ipv4(.loopback, port: 9), relay: "one"), ""),
            (.listener(.ipv4(.loopback, port: 10), relay: "two"), ""), (nil, ""),
        ] as [(SystemError.Subject?, String)])
    func subjectOfAnError_hasItsPlaceInTheFile(subject: SystemError.Subject?, place: String) async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/t.yaml"
            let text = """
                log: { access: /log }
                admin: { listen: 127.0.0.1:9180 }
                relays:
                  - name: two
                    listen: [unix:/a, 127.0.0.1:9]
                    upstream: a:1

                """
            try Files.write(text, to: path)
            let read = try ConfigurationText(reading: path, environment: [:])
            let (configuration, locations) = try Configuration.parse(read, environment: [:])
            let error = SystemError("listen on 127.0.0.1:9 for relay two", Errno(EADDRINUSE), subject: subject)
            #expect(locations.problem(error, in: configuration).description == "\(path)\(place): \(error)")
        }
    }

    @Test func listenerInUse_isTheSubjectOfTheError() async throws {
        try await Exclusive.run {
            let taken = try PeerListener()
            let relay = RelaySettings(
                name: "web", listen: [.address(taken.address)], upstream: .name("example.com", port: 80))
            let error = try #require(throws: SystemError.self) {
                _ = try RelayService.start(
                    Configuration(workers: .exactly(1), relays: [relay]), observer: Observer(ended: { _ in }),
                    logger: LogCapture().logger)
            }
            #expect(error.attempt == "listen on \(taken.address) for relay web")
            #expect(error.subject == .listener(taken.address, relay: "web"))
        }
    }

    @Test func anAccessLogThatCannotBeOpened_isRejectedBeforeAnythingIsApplied() async throws {
        try await bench { bench throws in
            let missing = "\(bench.folder)/missing/access.log"
            #expect(try bench.reload(Self.file("5s", access: missing)).word == "rejected")
            #expect(bench.lastLine.contains("\(bench.path):1:16: cannot open \(missing) for writing: "))
            #expect(bench.applied.isEmpty)
        }
    }

    @Test func theEnvironment_isThatOfTheStart() async throws {
        try await bench(Self.file("\"${IDLE}\""), environment: ["IDLE": "7s"]) { bench throws in
            #expect(try bench.reload(Self.file("\"${IDLE}\"", "# again")).word == "unchanged")
            #expect(try bench.reload(Self.file("\"${OTHER:-8s}\"")).word == "applied")
        }
    }

    @Test func aLook_reloadsOnlyAnotherContent() async throws {
        try await bench { bench throws in
            bench.reloader.look(.precaution)
            #expect(bench.log.all == [])
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("debug \(bench.path) was touched"))
            try Files.write(Self.file("5"), to: bench.path)
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("error reload rejected"))
            // Read, rejected and reported; not repeated.
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("debug \(bench.path) was touched"))
            try Files.write(Self.file("5s"), to: bench.path)
            bench.reloader.look(.report)
            #expect(bench.lastLine.hasPrefix("notice reloaded"))
            #expect(bench.status.now.rejected == 1)
        }
    }

    @Test func aFileThatIsGone_isWaitedFor() async throws {
        try await bench { bench throws in
            try Files.remove(bench.path)
            for _ in 0..<3 { bench.reloader.look(.report) }
            #expect(bench.log.all == ["warning \(bench.path) was removed; generation 1 stays active"])
            // A request is answered all the same.
            #expect(bench.reloader.reload(.api).word == "rejected")
            #expect(bench.lastLine.contains("\(bench.path): cannot be read: No such file or directory"))
            try Files.write(Self.file("5s"), to: bench.path)
            bench.reloader.look(.report)
            #expect(bench.log.contains("notice \(bench.path) exists again"))
            #expect(bench.lastLine.hasPrefix("notice reloaded"))
        }
    }

    @Test func aPipeInTheFilesPlace_isRejected_andBlocksNothing() async throws {
        try await bench { bench throws in
            try Files.remove(bench.path)
            #expect(mkfifo(bench.path, 0o600) == 0)
            #expect(bench.reloader.reload(.signal).word == "rejected")
            for _ in 0..<3 { bench.reloader.look(.report) }
            #expect(bench.lastLine.contains("is not a regular file"))
            #expect(bench.log.all.count == 1)
        }
    }

    @Test func aSignal_reopensTheAccessLog_alsoWhenNothingChanged() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let bench = try Bench(folder, Self.file(access: "\(folder)/access.log"))
                bench.outputs.write("one\n")
                try Files.move(bench.accessLog, to: "\(folder)/access.log.1")
                bench.outputs.write("two\n")
                #expect(bench.reloader.reload(.api).word == "unchanged")
                bench.outputs.write("three\n")
                #expect(bench.reloader.reload(.signal).word == "unchanged")
                bench.outputs.write("four\n")
                try Files.move(bench.accessLog, to: "\(folder)/access.log.2")
                #expect(try bench.reload(Self.file("5s", access: bench.accessLog), .signal).word == "applied")
                bench.outputs.write("five\n")
                try bench.end()
                #expect(Files.read("\(folder)/access.log.1") == "one\ntwo\nthree\n")
                #expect(Files.read("\(folder)/access.log.2") == "four\n")
                #expect(Files.read(bench.accessLog) == "five\n")
            }
        }
    }

    @Test func anAccessLogThatCannotBeReopened_continues() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                try Files.makeDirectory("\(folder)/logs")
                let bench = try Bench(folder, Self.file(access: "\(folder)/logs/access.log"))
                try Files.move("\(folder)/logs", to: "\(folder)/moved")
                #expect(bench.reloader.reload(.signal).word == "unchanged")
                #expect(bench.log.contains("error cannot open", "end records continue to the file that is open"))
                bench.outputs.write("one\n")
                try bench.end()
                #expect(Files.read("\(folder)/moved/access.log") == "one\n")
            }
        }
    }
}

extension ReloadOutcome {
    /// The outcome in one word.
    fileprivate var word: String {
        report(.api, generation: 1, milliseconds: 0).result.rawValue
    }
}
