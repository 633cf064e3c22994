import Testing

/// A recording Tapline between two ends of one puppet.
struct RecordingBench {
    let scene: Scene
    let puppet: Puppet
    let tapline: TaplineProcess
    /// The file that is written.
    let path: String

    /// The bytes of a flow: their number and their hash.
    typealias Sent = (count: Int, sha256: String)

    /// Starts `tapline forward --record FILE` between these addresses; the puppet listens on `upstream`.
    init(
        _ scene: Scene, listen: String = "127.0.0.1:0", upstream: String = "127.0.0.1:0", before: [String] = []
    ) async throws {
        self.scene = scene
        puppet = try scene.puppet(before: before)
        path = scene.path("recording.pcapng")
        let spec = "\(listen)=\(try await puppet.listen("upstream", upstream))"
        tapline = try await scene.forward(spec, options: ["--record", path], before: before)
    }

    /// Opens a connection: the client's end is `name`, the upstream's `name'`. Returns the client's address.
    @discardableResult
    func open(_ name: String) async throws -> String {
        let address = try await puppet.connect(name, to: tapline.address)
        try await puppet.accept(name + "'", from: "upstream")
        return address
    }

    /// Sends this many bytes from one end to the other.
    @discardableResult
    func send(_ count: Int, from source: String, to destination: String) async throws -> Sent {
        try await puppet.pass(count, from: source, to: destination)
    }

    /// Ends one half, and waits for the end at the other side.
    func finish(_ source: String, to destination: String) async throws {
        try await puppet.finish(source)
        guard try await puppet.receiveToEnd(destination).end == "fin" else { throw Failure("\(destination) was cut") }
    }

    /// Waits until this number of bytes is in the file. The record of a connection that ends before that waits for a
    /// second only, and a busy machine may take longer.
    func awaitRecorded(_ count: Int) async throws {
        try await scene.eventually("\(count) bytes are in the file") {
            try await scene.facts(of: [path]).recorded >= UInt64(count)
        }
    }

    /// Ends the recording of a connection that has ended, and checks it with Wireshark.
    func dissection() async throws -> (record: EndRecord, wireshark: Dissection, facts: RecordingFacts) {
        let record = try await tapline.records()[0]
        try await tapline.stop()
        return (record, Dissection(scene: scene, path: path), try await scene.facts(of: [path]))
    }
}

extension Puppet {
    /// Sends this many bytes from one end to the other, and checks that they arrive unchanged.
    @discardableResult
    func pass(
        _ count: Int, from source: String, to destination: String, within limit: Duration = .seconds(90)
    ) async throws -> RecordingBench.Sent {
        async let received = receive(destination, count: count, within: limit)
        let hash = try await send(source, count: count, within: limit)
        guard try await received.sha256 == hash else { throw Failure("other bytes came than were sent") }
        return (count, hash)
    }
}

extension RecordingFacts.Flow {
    /// Whether the flow has exactly these bytes.
    func isWhole(_ sent: RecordingBench.Sent) -> Bool {
        count == sent.count && missing == 0 && sha256 == sent.sha256
    }

    /// Whether the flow has exactly this many bytes.
    func isWhole(_ bytes: UInt64) -> Bool { count == bytes && missing == 0 }
}
