package import Terminal
import Text

/// The list of running `forward` processes, where a command does not say which one it is for.
package enum SocketChoice {
    /// The most time for one process's answer, in milliseconds.
    private static let timeout: Int64 = 1000

    /// The failure that lists the processes: for each its id, what it forwards, and the option that selects it.
    package static func failure(_ sockets: [String]) -> CommandFailure {
        failure(sockets.map { (path: $0, relays: relays(at: $0)) })
    }

    /// The same, of known relays: `127.0.0.1:8080 → localhost:8000`; empty where a process did not answer.
    static func failure(_ processes: [(path: String, relays: [String])]) -> CommandFailure {
        let lines = processes.map { process in
            let relays = process.relays.isEmpty ? "no answer" : process.relays.joined(separator: ", ")
            let name = process.path.split(separator: "/").last?.split(separator: ".").first ?? "?"
            return "  --admin unix:\(process.path)   process \(name): \(relays.harmless)"
        }
        return CommandFailure(
            .usage,
            "tapline: \(processes.count) forwards are running; select one:\n" + lines.joined(separator: "\n"))
    }

    private static func relays(at path: String) -> [String] {
        let target = AdminTarget(address: .unix(path: path), origin: .runtimeFolder, token: nil)
        guard let answer = try? AdminClient(target: target).json(.get, "/v1/relays", deadline: timeout) else {
            return []
        }
        return answer["relays"].elements.map { relay in
            let listeners = relay["listeners"].elements.compactMap(\.text).joined(separator: " and ")
            return "\(listeners) to \(relay["upstream"].text ?? "?")"
        }
    }
}
