package import Terminal
package import Text

/// A connection's story and its numbers as lines. Pure.
package struct ConnectionReport {
    /// The column of the values.
    private static let indent = 13
    /// The name of the line about the end.
    private static let endName = "ended"

    private let connection: JSONValue
    private let zone: TimeText

    /// Of the API's object of one connection, with its times in a zone.
    package init(_ connection: JSONValue, zone: TimeText = .utc) {
        self.connection = connection
        self.zone = zone
    }

    private func text(_ key: String) -> String { (connection[key].text ?? "-").harmless }
    private func time(_ key: String) -> String { zone.text(of: text(key)) }

    /// Whether it ended in any way but in order.
    private var isFailure: Bool {
        connection["state"].text == "closed" && ReasonText.isFailure(connection["reason"].text)
    }

    /// The lines, wrapped to the width, without styles.
    func lines(within columns: Int, showsUnicode: Bool) -> [String] {
        lines(within: columns, TerminalTraits(showsColor: false, showsUnicode: showsUnicode))
    }

    /// The lines, wrapped to the width. The title and the end of a failure are red, commands in the story bold.
    package func lines(within columns: Int, _ terminal: TerminalTraits) -> [String] {
        let arrow = terminal.showsUnicode ? "→" : "->"
        let title = "connection \(connection["id"].count ?? 0) of \(text("relay")), \(text("state"))"
        var lines = [terminal.painted(title, isFailure ? .boldFailure : .bold), ""]
        for sentence in connection["story"].elements {
            lines += terminal.paintingCode(zone.text(of: (sentence.text ?? "").harmless).wrapped(to: columns))
        }
        lines.append("")
        let numbers = [
            ("path", path.joined(separator: " \(arrow) ")),
            (
                "accepted",
                "\(time("accepted")), generation \(connection["generation"].count ?? 0)"
                    + (connection["process"].count.map { ", in process \($0) (before the upgrade)" } ?? "")
            ),
            ("up", flow("up")), ("down", flow("down")),
            ("took", times.joined(separator: ", ")),
        ]
        for (name, value) in numbers + proxied + hello + sessions + request + ends + recording + legs {
            let pieces = value.wrapped(to: columns - Self.indent)
            let isRed = isFailure && name == Self.endName
            lines += pieces.enumerated().map { index, piece in
                let fill = String(repeating: " ", count: max(0, Self.indent - (index == 0 ? name.count : 0)))
                let value = isRed ? terminal.painted(piece, .failure) : piece
                return (index == 0 ? terminal.painted(name, .dim) : "") + fill + value
            }
        }
        return lines
    }

    /// The times that it took; those that it did not reach are left out.
    private var times: [String] {
        let known = [
            ("connect_ms", "to connect\(held)"), ("first_byte_ms", "to the first byte down"), ("age_ms", "in all"),
        ]
        return known.compactMap { key, words in connection[key].count.map { "\(Words.duration($0)) \(words)" } }
    }

    /// How long the client was held, and what was tried.
    private var held: String {
        guard let held = connection["held_ms"].count else { return "" }
        let attempts = connection["attempts"].count.map { " in \(Quantity.number($0, "attempt"))" } ?? ""
        return "\(attempts) (the client was held for \(Words.duration(held)))"
    }

    /// The client, the listener, the upstream proxy and the upstream. The connected address follows what was dialled.
    private var path: [String] {
        var path = [text("client"), text("listener")]
        if let proxy = connection["upstream_proxy"].text { path.append("proxy \(proxy.harmless)") }
        let dialled = connection["upstream_proxy"].text ?? connection["upstream"].text
        let address = connection["upstream_address"].text.flatMap { $0 == dialled ? nil : " (\($0.harmless))" } ?? ""
        guard path.count > 2 else { return path + [text("upstream") + address] }
        return path.dropLast() + [path[2] + address, text("upstream")]
    }

    /// The part about the PROXY protocol.
    private var proxied: [(String, String)] {
        let header = connection["proxy_header"]
        let words = [
            connection["proxied_by"].text.map { "through \($0.harmless)" },
            header["destination"].text.map { "which it reached at \($0.harmless)" },
            header["authority"].text.map { "for \($0.harmless)" }, header["tls_version"].text.map(\.harmless),
            connection["unique_id"].text.map { "unique id \($0.harmless)" },
        ].compactMap(\.self)
        return words.isEmpty ? [] : [("proxy", words.joined(separator: ", "))]
    }

    /// The part about the client's TLS ClientHello.
    private var hello: [(String, String)] {
        let hello = connection["tls_hello"]
        let words = [
            connection["server_name"].text.map { "server name \($0.harmless)" },
            connection["alpn"].text.map { "ALPN \($0.harmless)" }, hello["version"].text.map(\.harmless),
            hello["route"].text.map { "by the route for \($0.harmless)" }, hello["fault"].text.map(\.harmless),
        ].compactMap(\.self)
        return words.isEmpty ? [] : [("tls", words.joined(separator: ", "))]
    }

    /// The part about the TLS sessions.
    private var sessions: [(String, String)] {
        let words = [
            connection["tls"].text.map { "client \($0.harmless)" }, connection["tls_peer"].text.map(\.harmless),
            connection["upstream_tls"].text.map { "upstream \($0.harmless)" },
            connection["upstream_tls_peer"].text.map(\.harmless), connection["tls_fault"].text.map(\.harmless),
        ].compactMap(\.self)
        return words.isEmpty ? [] : [("session", words.joined(separator: ", "))]
    }

    /// The part about the client's request for a destination.
    private var request: [(String, String)] {
        let request = connection["request"]
        let words = [
            request["protocol"].text.map(\.harmless), request["fault"].text.map { "the request \($0.harmless)" },
        ]
        .compactMap(\.self)
        return words.isEmpty ? [] : [("request", words.joined(separator: ", "))]
    }

    private func flow(_ name: String) -> String {
        var words = Words.size(connection["bytes_\(name)"].count)
        if let rate = connection["rate_\(name)"].count, rate > 0 { words += ", \(Words.rate(rate))" }
        if let spliced = connection["spliced_\(name)"].count, spliced > 0 {
            words += ", \(SizeText.short(spliced)) of it spliced"
        }
        return words
    }

    private var ends: [(String, String)] {
        guard connection["state"].text == "closed" else { return [] }
        let errno = connection["errno"].text.map { " (\($0.harmless))" } ?? ""
        let end = (Self.endName, "\(time("time")), \(text("reason"))\(errno), by \(text("closed_by"))")
        guard let side = connection["waited_for"].text else { return [end] }
        return [
            end,
            (
                "waited for",
                "\(side.harmless), which read nothing for \(Words.duration(connection["waited_ms"].count)); "
                    + "\(Words.size(connection["held_bytes"].count)) held for it"
            ),
        ]
    }

    private var recording: [(String, String)] {
        guard let recorded = connection["recorded_bytes"].count else { return [] }
        let dropped = connection["dropped_bytes"].count ?? 0
        let rest = dropped > 0 ? ", \(SizeText.short(dropped)) lost" : ""
        return [("recorded", SizeText.short(recorded) + rest)]
    }

    private var legs: [(String, String)] {
        ["client", "upstream"].compactMap { name in
            let leg = connection["legs"][name]
            guard !leg.isNull else { return nil }
            var words: [String] = []
            if leg["failed"].isTrue { words.append("failed") }
            if leg["ended"].isTrue { words.append("has closed its half") }
            if let held = leg["held_bytes"].count, held > 0 {
                words.append(
                    "\(SizeText.short(held)) held for it, nothing read for \(Words.age(leg["blocked_ms"].count))")
            }
            words.append("quiet for \(Words.age(leg["quiet_ms"].count))")
            let tcp = leg["tcp"]
            if !tcp.isNull {
                words.append("round trip \(Words.trip(tcp["rtt_us"].count))")
                if let queue = tcp["send_queue"].count, queue > 0 {
                    words.append("\(SizeText.short(queue)) sent and not acknowledged")
                }
                if let queue = tcp["receive_queue"].count, queue > 0 {
                    words.append("\(SizeText.short(queue)) received and not read yet")
                }
                if let again = tcp["retransmits"].count, again > 0 {
                    words.append("\(Quantity.number(again, "segment")) retransmitted")
                }
            }
            return ("\(name) leg", words.joined(separator: ", "))
        }
    }
}
