import Configuration
import Terminal
import Text

/// What `tapline check` found: a configuration without mistakes, or mistakes. Pure.
enum CheckReport {
    /// A summary of a valid configuration. `includedFiles`: the number of included files, nil without `include`.
    /// `columns`: the width that its lines are broken to, nil for no limit.
    static func summary(
        of configuration: Configuration, path: String, includedFiles: Int? = nil, warnings: [String] = [],
        columns: Int? = nil, showsUnicode: Bool
    ) -> String {
        let arrow = showsUnicode ? "→" : "->"
        let included = includedFiles.map { " and \(Quantity.number(UInt64($0), "included file"))" } ?? ""
        let relays = Quantity.number(UInt64(configuration.relays.count), "relay")
        var lines = ["\(path)\(included): OK, \(relays)"]
        func add(_ line: String, indent: Int) {
            let pieces = line.wrapped(to: (columns ?? .max) - indent, indent: 2)
            lines += pieces.map { String(repeating: " ", count: indent) + $0 }
        }
        for relay in configuration.relays {
            let addresses = relay.listenerText(relay.listen.map(\.description))
            let upstream = relay.upstreamText("\(relay.upstream)")
            add("\(relay.name): \(addresses) \(arrow) \(upstream)", indent: 2)
            guard let routing = relay.tlsRouting else { continue }
            for route in routing.routes {
                let chosen = relay.upstreamText("\(route.upstream ?? relay.upstream)")
                add("TLS \(route) \(arrow) \(chosen)", indent: 4)
            }
            add("otherwise \(arrow) \(routing.otherwise == .refuse ? "refused" : upstream)", indent: 4)
        }
        for warning in warnings { add("warning: \(warning)", indent: 0) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The same as an object in JSON.
    static func object(
        of configuration: Configuration, path: String, includedFiles: Int? = nil, warnings: [String] = []
    ) -> JSONValue {
        object([
            ("valid", .boolean(true)), ("file", .string(path)),
            ("included_files", .number("\(includedFiles ?? 0)")),
            (
                "relays",
                .array(
                    configuration.relays.map { relay in
                        object([
                            ("name", .string(relay.name)),
                            ("listen", .array(relay.listen.map { .string("\($0)") })),
                            ("upstream", .string("\(relay.upstream)")),
                            ("tls", .boolean(relay.tls != nil)),
                            ("upstream_tls", .boolean(relay.upstreamTLS != nil)),
                            ("tls_routing", relay.tlsRouting.map { routing($0, relay.upstream) } ?? .null),
                        ])
                    })
            ),
            ("warnings", .array(warnings.map { .string($0) })),
        ])
    }

    private static func routing(_ routing: TLSRoutingSettings, _ upstream: UpstreamAddress) -> JSONValue {
        object([
            (
                "routes",
                .array(
                    routing.routes.map { route in
                        object([
                            ("server_name", .array(route.serverNames.map { .string("\($0)") })),
                            ("alpn", .array(route.applications.map { .string($0) })),
                            ("upstream", .string("\(route.upstream ?? upstream)")),
                        ])
                    })
            ),
            ("otherwise", .string(routing.otherwise.rawValue)),
        ])
    }

    /// Mistakes as an object in JSON.
    static func object(of problems: [ConfigurationProblem]) -> JSONValue {
        object(problems.map { ($0.path, $0.mark, $0.message) })
    }

    /// The mistake that there is no configuration: it has no file.
    static func object(ofMissing message: String) -> JSONValue {
        object([(nil, nil, message)])
    }

    private static func object(_ problems: [(file: String?, mark: Mark?, message: String)]) -> JSONValue {
        func number(_ number: Int?) -> JSONValue { number.map { .number("\($0)") } ?? .null }
        return object([
            ("valid", .boolean(false)),
            (
                "problems",
                .array(
                    problems.map { problem in
                        object([
                            ("file", problem.file.map { .string($0) } ?? .null), ("line", number(problem.mark?.line)),
                            ("column", number(problem.mark?.column)), ("message", .string(problem.message)),
                        ])
                    })
            ),
        ])
    }

    private static func object(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(members.map { JSONValue.Member(key: $0, value: $1) })
    }
}
