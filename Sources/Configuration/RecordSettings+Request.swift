internal import Sockets
internal import Text

extension RecordSettings {
    /// Parses the settings in a request to the admin API: the value of `record:`, as JSON or YAML. Omitted values are those
    /// of `base`, or the defaults. Relative paths are resolved in `directory`, which is absolute.
    ///
    /// Environment variables are not expanded: a client of the API could read them that way. Throws every mistake, with
    /// its position in the request.
    public static func parse(
        _ bytes: [UInt8], changing base: RecordSettings?, directory: String
    ) throws(ConfigurationErrors) -> RecordSettings {
        let problems = Problems(path: "request")
        let reading = Reading(problems: problems, environment: [:], directory: directory)
        var settings: RecordSettings?
        if let root = YAMLTree.read(bytes, problems) {
            settings = RelayDraft.record(
                Field(name: RelayKey.record.rawValue, node: root, keyMark: root.mark, reading: reading), changing: base)
        }
        if let settings, problems.errors == nil { return settings }
        throw problems.errors
            ?? ConfigurationErrors([
                ConfigurationProblem(path: "request", mark: .start, message: "the body is empty")
            ])
    }
    /// The settings as JSON that `parse` reads: every value, for another process of Tapline.
    public var requestText: String {
        var json = JSONText()
        json.object { json in
            json.add(RecordKey.directory.rawValue, directory)
            json.object(RecordKey.rotate.rawValue) { json in
                json.add(RotateKey.size.rawValue, SizeText.text(of: rotate.size))
                json.add(RotateKey.every.rawValue, DurationText.text(of: rotate.every))
                json.add(RotateKey.keep.rawValue, number: rotate.keep)
            }
            // Without it, all bytes are recorded; there is no word for that.
            if let maxBytes { json.add(RecordKey.maxBytes.rawValue, SizeText.text(of: maxBytes)) }
            json.add(RecordKey.buffer.rawValue, SizeText.text(of: buffer))
            json.add(RecordKey.whenFull.rawValue, whenFull.rawValue)
            if !clients.isEmpty { json.list(RecordKey.clients.rawValue, clients) { $0.element($1.description) } }
            json.add(RecordKey.fraction.rawValue, FractionText.text(of: perMillion))
            if includesEncrypted { json.add(RecordKey.encrypted.rawValue, true) }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
