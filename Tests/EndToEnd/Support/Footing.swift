import Foundation
import Testing

/// The resources of a process while nothing moves, for comparison with those after a fault: FLAT of `FAULTS.md`.
struct Footing {
    /// The number of descriptors of each kind: sockets, files by their path, anonymous ones by the kernel's name.
    var descriptors: [String: Int]
    /// Private anonymous memory, bytes.
    var memory: Int

    /// The kind of pooled pipes.
    fileprivate static let pipe = "pipe"
    /// The kind of the descriptor that watches folders.
    fileprivate static let watch = "anon_inode:inotify"

    /// The largest number of pipe descriptors while nothing streams: the process's own (standard streams, signals,
    /// wake-ups), and two for each of the sixteen empty pipes that a worker keeps for the next flow.
    static var mostPipes: Int { 20 + 32 * ProcessInfo.processInfo.activeProcessorCount }

    /// The current resources of this process.
    init(of pid: pid_t) throws {
        descriptors = [:]
        for fd in try ProcessFacts.descriptors(of: pid) {
            let link = "/proc/\(pid)/fd/\(fd)"
            // One that was closed between the two system calls is gone.
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link) else { continue }
            // `socket:[4711]` and `pipe:[4711]` have a number each; `anon_inode:[eventfd]` and `/dev/null` have none.
            let isNumbered = target.hasPrefix("socket:") || target.hasPrefix("pipe:")
            descriptors[isNumbered ? String(target.prefix { $0 != ":" }) : target, default: 0] += 1
        }
        memory = try ProcessFacts.privateMemory(of: pid)
    }
}

extension TaplineProcess {
    /// The current resources.
    func footing() throws -> Footing { try Footing(of: pid) }

    /// Its descriptors once two consecutive readings agree, so that connections that have just ended are closed. The
    /// watch of a configuration file is opened last, after the listeners are announced.
    func steadyFooting(in scene: Scene) async throws -> Footing {
        let words = try String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8).split(separator: "\0")
        let isWatching = words.contains("run")
        var last = try footing()
        try await scene.eventually("its descriptors stay as they are") {
            let now = try footing()
            defer { last = now }
            return now.descriptors == last.descriptors && (!isWatching || now.descriptors[Footing.watch] != nil)
        }
        return last
    }

    /// FLAT: waits until it has the same resources as before, except for the workers' empty pipes. Memory for a burst
    /// stays with the allocator, at most 2 MiB.
    func expectFlat(since before: Footing, in scene: Scene, sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        var now = before
        let mayKeep = max(before.descriptors[Footing.pipe] ?? 0, Footing.mostPipes)
        do {
            try await scene.eventually("what it held before") {
                now = try footing()
                var held = now.descriptors
                let pipes = held.removeValue(forKey: Footing.pipe) ?? 0
                return held.allSatisfy { $0.value <= before.descriptors[$0.key] ?? 0 } && pipes <= mayKeep
            }
        } catch {
            Issue.record(
                "descriptors: \(before.descriptors) before, \(now.descriptors) after", sourceLocation: sourceLocation)
        }
        let growth = try footing().memory - before.memory
        #expect(growth < 2 << 20, "grown by \(growth) bytes", sourceLocation: sourceLocation)
    }

    /// IDLE: it uses less than 2 % of a core while nothing moves. The best of three windows, because work that is just
    /// ending is not a spinning loop.
    func expectIdle(_ why: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        var best = Double.infinity
        for _ in 0..<3 where best >= 0.02 {
            best = min(best, try await ProcessFacts.load(of: pid, over: .milliseconds(1500)))
        }
        #expect(best < 0.02, "\(best * 100) % of a core: \(why)", sourceLocation: sourceLocation)
    }
}
