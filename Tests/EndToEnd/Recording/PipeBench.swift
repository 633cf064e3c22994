import Foundation

/// A Tapline that records to its standard output, and a reader of that.
struct PipeBench {
    let scene: Scene
    let puppet: Puppet
    let tapline: TaplineProcess
    let reader: Program
    /// The file with the bytes that the reader has read.
    let path: String

    /// Starts both.
    init(_ scene: Scene) async throws {
        self.scene = scene
        let pipe = scene.path("pipe")
        path = scene.path("read.pcapng")
        try await scene.run("mkfifo", pipe)
        reader = try scene.start(["sh", "-c", "exec cat \(pipe) > \(path)"])
        puppet = try scene.puppet()
        tapline = try await scene.forward(
            "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: ["--record", "-"],
            before: ["sh", "-c", "exec \"$@\" > \(pipe)", "sh"])
    }

    /// Opens a connection: the client's end is `name`, the upstream's `name'`.
    func open(_ name: String) async throws {
        try await puppet.connect(name, to: tapline.address)
        try await puppet.accept(name + "'", from: "upstream")
    }

    /// Ends the only open connection and returns its record, which also comes while the reader is stopped.
    @discardableResult
    func end(_ one: String, _ other: String) async throws -> EndRecord {
        let before = try tapline.recordsSoFar.count
        for side in [one, other] { try await puppet.finish(side) }
        for side in [one, other] {
            guard try await puppet.receiveToEnd(side).end == "fin" else { throw Failure("\(side) was cut") }
        }
        return try await tapline.records(before + 1)[before]
    }
}
