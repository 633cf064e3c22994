package import Terminal
import Text

/// The list of running `forward` processes, where a command does not say which one it is for.
package enum SocketChoice {
    /// The most time for one process's answer, in milliseconds.
    static let timeout: Int64 = 1000

    /// The failure that lists the processes: for each its id, what it forwards, and the option that selects it.
    package static func failure(_ sockets: [String]) -> CommandFailure {
        failure(sockets.map { (path: $0, id: process(at: $0), relays: relays(at: $0)) })
    }

    /// The same, of known relays: `127.0.0.1:8080 → localhost:8000`; empty where a process did not answer. A socket
    /// keeps its name after an upgrade, so the process's id is the one that it reports.
    static func failure(_ processes: [(path: String, id: UInt64?, relays: [String])]) -> CommandFailure {
        let lines = processes.map { process in
            let relays = process.relays.isEmpty ? "no answer" : process.relays.joined(separator: ", ")
            let id = process.id.map { "process \($0): " } ?? ""
            return "  --admin unix:\(process.path)   \(id)\(relays.harmless)"
        }
        return CommandFailure(
            .usage,
            "tapline: \(processes.count) forwards are running; select one:\n" + lines.joined(separator: "\n"))
    }

    private static func ask(_ path: String, at socket: String) -> JSONValue? {
        let target = AdminTarget(address: .unix(path: socket), origin: .runtimeFolder, token: nil)
        return try? AdminClient(target: target).json(.get, path, deadline: timeout)
    }

    private static func process(at path: String) -> UInt64? { ask("/v1/status", at: path)?["pid"].count }

    private static func relays(at path: String) -> [String] {
        guard let answer = ask("/v1/relays", at: path) else { return [] }
        return answer["relays"].elements.map { relay in
            let listeners = relay["listeners"].elements.compactMap(\.text).joined(separator: " and ")
            return "\(listeners) to \(relay["upstream"].text ?? "?")"
        }
    }
}
