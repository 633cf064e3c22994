import Foundation
import Glibc
import Testing

/// The targets of `--record`, their errors, and the permissions of the files.
struct RecordTargetTests {
    private static let spec = "127.0.0.1:0:127.0.0.1:1"

    @Test(.needs("python3", "tshark")) func standardOutput_isReadLiveByTshark() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tshark = "tshark -l -n -r - -T fields -e tcp.stream -e tcp.len -e tcp.flags.fin -Y tcp 2>/dev/null"
            let script = "\"$@\" | { \(tshark); echo over; }"
            let program = try scene.start([
                "sh", "-c", script, "sh", TaplineProcess.binary, "forward", "--log-format", "json", "--record", "-",
                "unix:\(scene.path("front.sock"))=\(upstream)",
            ])
            try await program.errors.line(containing: " listens on ")
            try await puppet.connect("a", to: "unix:\(scene.path("front.sock"))")
            try await puppet.accept("b", from: "upstream")
            try await puppet.pass(777, from: "a", to: "b")
            // While the connection is open.
            try await program.output.line(containing: "0\t777\t0")
            try await puppet.pass(888, from: "b", to: "a")
            try await program.output.line(containing: "0\t888\t0")
            for (one, other) in [("a", "b"), ("b", "a")] {
                try await puppet.finish(one)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
            _ = try await program.output.first(2) { $0 == "0\t0\t1" }
            let record = try EndRecord(json: try await program.errors.first(where: EndRecord.isRecord)[0])
            #expect(record.recordedBytes == 777 + 888 && record.droppedBytes == 0)
            // The pipeline's shell waits for both.
            try await scene.run("pkill", "-TERM", "-P", "\(try await program.pid())", "tapline")
            try await program.output.line(containing: "over")
            #expect(try await program.exit() == .exited(0))
        }
    }

    @Test(.needs("python3", "mkfifo")) func reader_thatGoes_endsTheRecordingAndNotTheRelay() async throws {
        try await scene { scene in
            let pipe = try await PipeBench(scene)
            try await pipe.open("a")
            try await pipe.puppet.pass(300_000, from: "a", to: "a'")
            await pipe.reader.kill()
            let notice = "the reader of standard output has closed it"
            try await scene.eventually("the reader's end is noticed") {
                try await pipe.puppet.pass(10_000, from: "a'", to: "a")
                return pipe.tapline.program.errors.all.contains { $0.contains(notice) }
            }
            try await pipe.puppet.pass(5_000_000, from: "a", to: "a'")
            let record = try await pipe.end("a", "a'")
            #expect(["client_closed", "upstream_closed"].contains(record.reason) && record.bytesUp == 5_300_000)
            #expect((record.recordedBytes ?? 0) + (record.droppedBytes ?? 0) <= record.bytesUp + record.bytesDown)
            try await pipe.open("b")
            try await pipe.puppet.pass(1000, from: "b", to: "b'")
            let unrecorded = try await pipe.end("b", "b'")
            #expect(unrecorded.bytesUp == 1000 && unrecorded.recordedBytes ?? 0 == 0)
            try await pipe.tapline.stop()
            #expect(pipe.tapline.program.errors.all.count { $0.contains(notice) } == 1)
        }
    }

    /// Starts `forward --record TARGET`, which must fail, and returns its message.
    private func refusal(
        _ scene: Scene, _ target: String, before: [String] = [], binary: String = TaplineProcess.binary
    ) async throws -> String {
        let program = try scene.start(before + [binary, "forward", "--record", target, Self.spec])
        #expect(try await program.exit() == .exited(71))
        #expect(program.output.all == [])
        return program.errors.all.joined(separator: "\n")
    }

    @Test func file_thatExists_isNotTouched() async throws {
        try await scene { scene in
            let path = try scene.file("old.pcapng", "precious")
            let said = try await refusal(scene, path)
            #expect(said.contains(path) && said.contains("EEXIST") && said.contains("DIR/"), "\(said)")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
            // A link counts as a file that exists, wherever it leads.
            for (name, target) in [("dangling.pcapng", scene.path("nothing")), ("link.pcapng", path)] {
                try FileManager.default.createSymbolicLink(atPath: scene.path(name), withDestinationPath: target)
                #expect(try await refusal(scene, scene.path(name)).contains("EEXIST"))
            }
            #expect(access(scene.path("nothing"), F_OK) != 0)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        }
    }

    @Test func folder_thatIsMissing_isNamed() async throws {
        try await scene { scene in
            // Only the last folder of a path is created, and none for a file.
            for target in ["missing/deep/", "missing/deep/file.pcapng"] {
                let said = try await refusal(scene, scene.path(target))
                #expect(said.contains(scene.path("missing/deep")) && said.contains("ENOENT"), "\(said)")
            }
            #expect(access(scene.path("missing"), F_OK) != 0)
        }
    }

    @Test(.needs("setpriv"), .needsRoot) func folder_ofAnotherUser_isRefused() async throws {
        try await scene { scene in
            let binary = try scene.publicBinary()
            try FileManager.default.createDirectory(atPath: scene.path("mine"), withIntermediateDirectories: false)
            for target in ["mine/", "mine/file.pcapng", "new/"] {
                let said = try await refusal(scene, scene.path(target), before: Scene.ordinaryUser, binary: binary)
                #expect(said.contains("EACCES") && said.contains(scene.folder), "\(said)")
            }
            #expect(access(scene.path("new"), F_OK) != 0)
        }
    }

    @Test(.needs("curl"), arguments: ["000", "022", "077"])
    func files_areReadableByTheirOwnerOnly(mask: String) async throws {
        try await scene { scene in
            for target in ["one.pcapng", "folder/"] {
                let tapline = try await scene.forward(
                    Self.spec, options: ["--record", scene.path(target)],
                    before: ["sh", "-c", "umask \(mask); exec \"$@\"", "sh"])
                // A file without a conversation is removed at the end.
                _ = try? await scene.run("curl", "-s", "http://\(tapline.address)/")
                _ = try await tapline.program.errors.first(where: EndRecord.isRecord)
                try await tapline.stop()
            }
            let files = [scene.path("one.pcapng")] + (try scene.recordings(in: scene.path("folder")))
            #expect(files.count == 2)
            for file in files { #expect(try mode(of: file) == S_IFREG | 0o600) }
            #expect(try mode(of: scene.path("folder")) == S_IFDIR | 0o700)
        }
    }

    private func mode(of path: String) throws -> mode_t {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { throw Failure("\(path) is not there") }
        return facts.st_mode
    }
}
