package import Text

/// The changes of a reload as lines for a person. Pure.
package enum DifferenceText {
    /// Of the answer to `POST /v1/reload`.
    package static func lines(of answer: JSONValue) -> [String] {
        let generation = answer["generation"].count ?? 0
        let difference = answer["difference"]
        let later = difference["needs_restart"].elements.map { "  needs a restart: \(setting($0))" }
        guard answer["result"].text == "applied" else {
            let result = later.isEmpty ? "configuration unchanged" : "nothing reloaded"
            return ["\(result); generation \(generation) stays active"] + later
        }
        var lines = ["generation \(generation) is active"]
        lines += difference["added"].elements.map { "  added relay \(word($0))" }
        lines += difference["removed"].elements.map { "  removed relay \(word($0)); its open connections may finish" }
        lines += difference["renamed"].elements.map { "  renamed relay \(word($0["old"])) to \(word($0["new"]))" }
        for change in difference["changed"].elements {
            lines += change["settings"].elements.map { "  \(word(change["relay"])): \(setting($0))" }
        }
        let listeners = difference["listeners"]
        lines += listeners["added"].elements.map { "  listens on \(word($0["address"])) for \(word($0["relay"]))" }
        lines += listeners["removed"].elements.map {
            "  no longer listens on \(word($0["address"])) (\(word($0["relay"])))"
        }
        lines += listeners["moved"].elements.map {
            "  \(word($0["address"])) moved from \(word($0["from"])) to \(word($0["to"]))"
        }
        lines += difference["settings"].elements.map { "  \(setting($0))" }
        return lines + later
    }

    private static func setting(_ setting: JSONValue) -> String {
        if let content = setting["content"].text { return "\(word(setting["key"])): \(content.harmless)" }
        return "\(word(setting["key"])) \(setting["old"].text?.harmless ?? "(none)") → "
            + (setting["new"].text?.harmless ?? "(none)")
    }

    private static func word(_ value: JSONValue) -> String {
        (value.text ?? "?").harmless
    }
}
