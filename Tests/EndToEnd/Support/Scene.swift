import Foundation
import Synchronization
import TestSupport

/// The environment of a test: a folder and the programs that it started, all of which end with it, also if it fails.
final class Scene: Sendable {
    /// The load that a test puts on the machine.
    enum Load: Sendable {
        /// Moves many bytes or connections: few such tests at a time.
        case heavy
        /// Starts a program and examines it: some at a time.
        case light
        /// Waits for a time to pass: any number at a time.
        case waiting
    }

    /// The test's own folder, which other users may enter.
    let folder: String
    /// The folder of its programs' default admin sockets, so that no command finds a `forward` of another test.
    private let runtimeFolder: String
    private let programs = Mutex<[Program]>([])

    fileprivate init() throws {
        var template = Array("/tmp/tapline-e2e-XXXXXX\0".utf8CString.dropLast())
        guard mkdtemp(&template) != nil else { throw Failure("no temporary folder can be made") }
        folder = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        chmod(folder, 0o755)
        runtimeFolder = folder + "-run"
        guard mkdir(runtimeFolder, 0o700) == 0 else { throw Failure("\(runtimeFolder) cannot be made") }
    }

    fileprivate func end() async {
        for program in programs.withLock({ $0 }).reversed() { await program.kill() }
        try? FileManager.default.removeItem(atPath: folder)
        try? FileManager.default.removeItem(atPath: runtimeFolder)
    }

    /// Starts a program.
    @discardableResult
    func start(_ words: [String], variables: [String: String] = [:]) throws -> Program {
        let own = ["XDG_RUNTIME_DIR": runtimeFolder]
        let program = try Program(words, variables: own.merging(variables) { $1 })
        programs.withLock { $0.append(program) }
        return program
    }

    /// Starts a program, waits for its end and returns its output. A status other than 0 is an error.
    @discardableResult
    func run(_ words: String..., within limit: Duration = .seconds(60)) async throws -> String {
        try await run(words, within: limit)
    }

    /// Starts a program, waits for its end and returns its output. A status other than 0 is an error.
    @discardableResult
    func run(_ words: [String], within limit: Duration = .seconds(60)) async throws -> String {
        let program = try start(words)
        program.finishInput()
        let status = try await program.exit(within: limit)
        guard status == .exited(0) else {
            let said = (program.output.all + program.errors.all).suffix(20).joined(separator: "\n")
            throw Failure("\(program.name): \(status)\n\(said)")
        }
        return program.output.all.joined(separator: "\n")
    }

    /// Polls until the condition is true, for conditions without an event.
    func eventually(_ what: String, within limit: Duration = .seconds(60), _ ask: () async throws -> Bool) async throws
    {
        let deadline = ContinuousClock.now + limit
        while try await !ask() {
            guard ContinuousClock.now < deadline else { throw Failure("deadline passed: \(what)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits for something that takes long, while tests that must be alone with their descriptors may run. Nothing may
    /// be started or end in the meantime.
    func rest<Result>(_ wait: () async throws -> Result) async throws -> Result {
        Exclusive.leaveShared()
        do {
            let result = try await wait()
            await Exclusive.enterShared()
            return result
        } catch {
            await Exclusive.enterShared()
            throw error
        }
    }

    /// A path in the folder.
    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// Writes a file into the folder and returns its path.
    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
        return path(name)
    }
}

/// Runs a test in its own scene when the machine has room for it.
func scene(_ load: Scene.Load = .light, _ play: (Scene) async throws -> Void) async throws {
    let lane = Lane.of(load)
    await lane?.enter()
    // Programs have descriptors, which would disturb tests that count their own.
    await Exclusive.enterShared()
    let result: Result<Void, any Error>
    do {
        let scene = try Scene()
        do {
            try await play(scene)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await scene.end()
    } catch {
        result = .failure(error)
    }
    Exclusive.leaveShared()
    await lane?.leave()
    try result.get()
}

/// A number of slots for tests of one kind.
private actor Lane {
    static let heavy = Lane(places: 2)
    static let light = Lane(places: 4)

    static func of(_ load: Scene.Load) -> Lane? {
        switch load {
        case .heavy: heavy
        case .light: light
        case .waiting: nil
        }
    }

    private var places: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(places: Int) {
        self.places = places
    }

    func enter() async {
        if places > 0 {
            places -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty {
            places += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
