internal import Configuration
internal import Glibc
internal import Relay
internal import Text

/// The process and the results of reloads in the API's answers. Pure except for the process id.
enum StatusView {
    /// `GET /v1/status`.
    static func status(
        _ status: ProcessStatus, openConnections: Int, workers: Int, process: ProcessStats,
        failing: [(relay: String, connects: RecentConnects.Summary)], now: Timestamp,
        predecessors: [Predecessors.State] = []
    ) -> [UInt8] {
        let facts = status.now
        var json = JSONText()
        json.object { json in
            json.add("version", status.version)
            json.add("pid", number: getpid())
            json.add("started", time: status.started)
            json.add("uptime_ms", number: Milliseconds.of(nanoseconds: now.nanoseconds &- status.started.nanoseconds))
            json.add("upgraded", time: status.isSuccessor ? status.started : nil)
            json.add("configuration", status.path)
            json.add("generation", number: facts.generation)
            json.add("workers", number: workers)
            json.add("open_connections", number: openConnections)
            json.add("draining", facts.isDraining)
            if let last = facts.lastReload {
                json.object("last_reload") { writeKeys(last, to: &$0) }
            } else {
                json.addNull("last_reload")
            }
            json.object("reloads") { json in
                json.add("applied", number: facts.applied)
                json.add("unchanged", number: facts.unchanged)
                json.add("rejected", number: facts.rejected)
            }
            json.object("descriptors") { json in
                json.add("open", number: process.openDescriptors)
                json.add("limit", number: process.descriptorLimit)
            }
            // Without /proc these are unknown, which 0 stands for.
            func known<Figure: BinaryInteger>(_ figure: Figure) -> Figure? { figure > 0 ? figure : nil }
            json.object("memory") { json in
                json.add("resident_bytes", number: known(process.residentBytes))
                json.add("private_bytes", number: known(process.privateBytes))
                json.add("virtual_bytes", number: known(process.virtualBytes))
            }
            json.add("cpu_seconds", decimal: process.cpuSeconds)
            json.add("threads", number: known(process.threads))
            json.list("failing_relays", failing) { json, one in
                json.object { json in
                    json.add("relay", one.relay)
                    RelayView.writeKeys(one.connects, to: &json)
                }
            }
            json.add(
                "ends_within_ms",
                number: facts.drainEnds.map { max(0, ContinuousClock.now.duration(to: $0).milliseconds) })
            json.list("predecessors", predecessors) { json, predecessor in
                json.object { write(predecessor, to: &$0) }
            }
        }
        return json.bytes
    }

    /// An older process; what it does not answer is null.
    private static func write(_ predecessor: Predecessors.State, to json: inout JSONText) {
        json.add("pid", number: predecessor.id)
        json.add("version", predecessor.status?["version"].text)
        json.add("open_connections", number: predecessor.status?["open_connections"].count)
        json.add("ends_within_ms", number: predecessor.status?["ends_within_ms"].count)
        json.add("trouble", predecessor.trouble)
    }

    /// A predecessor whose connections an answer lacks.
    static func writeUnanswered(_ predecessor: Predecessors.State, to json: inout JSONText) {
        json.add("pid", number: predecessor.id)
        json.add("trouble", predecessor.trouble)
    }

    // MARK: Reloads

    /// A reload in events.
    static func reload(_ report: ReloadReport) -> [UInt8] {
        var json = JSONText()
        json.object { writeKeys(report, to: &$0) }
        return json.bytes
    }

    /// The answer to an accepted `POST /v1/reload`.
    static func reloadAnswer(_ report: ReloadReport) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.add("result", report.result.rawValue)
            json.add("generation", number: report.generation)
            json.add("summary", report.summary)
            write(report.difference, to: &json)
        }
        return json.bytes
    }

    /// The answer to a rejected one.
    static func rejection(_ report: ReloadReport) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.object("error") { json in
                json.add("code", "rejected")
                json.add("message", report.problems.map(\.description).joined(separator: "\n"))
                write(report.problems, to: &json)
            }
        }
        return json.bytes
    }

    private static func writeKeys(_ report: ReloadReport, to json: inout JSONText) {
        json.add("time", time: report.time)
        json.add("source", report.source.rawValue)
        json.add("result", report.result.rawValue)
        json.add("generation", number: report.generation)
        json.add("duration_ms", number: report.duration)
        json.add("summary", report.summary)
        write(report.difference, to: &json)
        write(report.problems, to: &json)
    }

    private static func write(_ problems: [ConfigurationProblem], to json: inout JSONText) {
        json.list("problems", problems) { json, problem in
            json.object { json in
                json.add("path", problem.path)
                json.add("line", number: problem.line)
                json.add("column", number: problem.column)
                json.add("message", problem.message)
            }
        }
    }

    private static func write(_ difference: ConfigurationDifference?, to json: inout JSONText) {
        guard let difference else {
            json.addNull("difference")
            return
        }
        json.object("difference") { json in
            json.list("added", difference.added) { $0.element($1) }
            json.list("removed", difference.removed) { $0.element($1) }
            json.list("renamed", difference.renamed) { json, rename in
                json.object { json in
                    json.add("old", rename.old)
                    json.add("new", rename.new)
                }
            }
            json.list("changed", difference.changed) { json, change in
                json.object { json in
                    json.add("relay", change.relay)
                    write("settings", change.settings, to: &json)
                }
            }
            json.object("listeners") { write(difference.listeners, to: &$0) }
            write("settings", difference.settings, to: &json)
            write("needs_restart", difference.needsRestart, to: &json)
        }
    }

    private static func write(_ listeners: ConfigurationDifference.Listeners, to json: inout JSONText) {
        for (key, list) in [("added", listeners.added), ("removed", listeners.removed)] {
            json.list(key, list) { json, listener in
                json.object { json in
                    json.add("address", listener.address)
                    json.add("relay", listener.relay)
                }
            }
        }
        json.list("moved", listeners.moved) { json, move in
            json.object { json in
                json.add("address", move.address)
                json.add("from", move.from)
                json.add("to", move.to)
            }
        }
    }

    private static func write(
        _ key: String, _ settings: [ConfigurationDifference.Setting], to json: inout JSONText
    ) {
        json.list(key, settings) { json, setting in
            json.object { json in
                json.add("key", setting.key)
                json.add("old", setting.old)
                json.add("new", setting.new)
                json.add("content", setting.content)
            }
        }
    }
}
