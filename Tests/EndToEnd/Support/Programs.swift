import Foundation
import Glibc
import Testing

/// The programs that tests use, and their Debian packages.
enum Programs {
    static let packages = [
        "capinfos": "wireshark-common", "certutil": "libnss3-tools",
        "chromium-headless-shell": "chromium-headless-shell", "curl": "curl",
        "editcap": "wireshark-common", "faketime": "faketime", "fish": "fish", "fsfreeze": "util-linux", "gcc": "gcc",
        "haproxy": "haproxy", "initdb": "postgresql", "ip": "iproute2",
        "iperf3": "iperf3", "losetup": "mount", "mergecap": "wireshark-common", "mkfifo": "coreutils",
        "mkfs.ext4": "e2fsprogs", "mount": "mount", "nc": "netcat-openbsd", "nft": "nftables", "nginx": "nginx-light",
        "nsenter": "util-linux", "openssl": "openssl", "prlimit": "util-linux", "promtool": "prometheus",
        "psql": "postgresql-client",
        "python3": "python3", "redis-benchmark": "redis-tools", "redis-cli": "redis-tools",
        "redis-server": "redis-server", "setpriv": "util-linux", "ss": "iproute2",
        "systemd-analyze": "systemd", "systemd-socket-activate": "systemd", "tcpdump": "tcpdump",
        "zsh": "zsh",
        "text2pcap": "tshark", "tmux": "tmux", "tshark": "tshark", "unshare": "util-linux",
    ]

    /// The path of a program: the system's own is preferred to others of that name, such as a Python in a home folder,
    /// which another user could not start.
    static func path(_ name: String) -> String? {
        if name.contains("/") { return name }
        let own = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        let others = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").map(String.init) ?? []
        return (own + others).map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test if a program is missing, and names the package that has it.
    static func needs(_ programs: String...) -> Self {
        let missing = programs.filter { Programs.path($0) == nil }
        let packages = Set(missing.map { Programs.packages[$0] ?? $0 }).sorted().joined(separator: ", ")
        return .disabled(if: !missing.isEmpty, "not installed (Debian packages: \(packages))")
    }

    /// Skips a test that needs root to start a program as another user.
    static var needsRoot: Self { .enabled(if: geteuid() == 0, "only root can start a program as another user") }

    /// Skips a test that needs a network namespace.
    static var needsNetworkNamespace: Self {
        .enabled(if: Host.mayMakeNetworks, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for a network namespace")
    }
}

/// What this machine allows.
enum Host {
    /// Whether network namespaces can be created: CAP_NET_ADMIN is capability 12, CAP_SYS_ADMIN 21 (capabilities(7)).
    static var mayMakeNetworks: Bool {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
            let effective = UInt64(line.dropFirst("CapEff:".count).trimmingCharacters(in: .whitespaces), radix: 16)
        else { return false }
        return effective & (1 << 12) != 0 && effective & (1 << 21) != 0
    }

    /// Whether sockets may use a congestion control without loading a module.
    static func hasCongestionControl(_ name: String) -> Bool {
        let all = try? String(contentsOfFile: "/proc/sys/net/ipv4/tcp_available_congestion_control", encoding: .utf8)
        return all?.split(whereSeparator: \.isWhitespace).contains(Substring(name)) ?? false
    }

    /// The largest number of descriptors that a process here may have.
    static var mostDescriptors: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return Int(clamping: limit.rlim_max)
    }
}
