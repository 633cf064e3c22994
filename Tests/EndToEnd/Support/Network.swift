import Foundation

/// A network namespace for one test, with loopback and a link that leads nowhere, and its own mount namespace. It ends
/// with the test's scene.
struct Network: Sendable {
    /// The words that start a program in it.
    let before: [String]

    /// The link's own address is 192.0.2.1 (RFC 5737). Packets to this one are never answered.
    static let blackHole = "192.0.2.2"
    /// Its route reports it as unreachable.
    static let unreachable = "198.51.100.1"
    /// There is no route to it.
    static let nowhere = "203.0.113.1"

    fileprivate static let setUp = [
        "ip link set lo up",
        "ip link add front type veth peer name back",
        "ip address add 192.0.2.1/24 dev front",
        "ip link set front up",
        "ip link set back up",
        // No host has this link address.
        "ip neighbour add \(blackHole) lladdr 02:00:00:00:00:02 dev front nud permanent",
        "ip route add unreachable 198.51.100.0/24",
        "nft add table inet test",
        "nft add chain inet test in '{ type filter hook input priority 0; }'",
    ]
}

extension Scene {
    /// Creates a network, runs these shell commands in it, and mounts these texts over files.
    func network(_ commands: String..., files: [String: String] = [:]) async throws -> Network {
        var script = Network.setUp + commands
        for (number, (path, text)) in files.enumerated() {
            script.append("mount --bind \(try file("file-\(number)", text)) \(path)")
        }
        // It lives as long as this process.
        script += ["echo ready", "exec cat"]
        let holder = try start(["unshare", "--net", "--mount", "sh", "-e", "-c", script.joined(separator: "\n")])
        do {
            try await holder.output.line(containing: "ready")
        } catch {
            throw Failure("no network: \(holder.errors.all.joined(separator: "; "))")
        }
        let pid = try await holder.pid()
        return Network(before: ["nsenter", "--target", "\(pid)", "--net", "--mount", "--"])
    }
}
