internal import Glibc
internal import Sockets

/// The system's statistics of this process. Read from /proc for each request; blocks for microseconds.
struct ProcessStats: Hashable, Sendable {
    /// Processor time since the start, user and system, seconds.
    var cpuSeconds = 0.0
    /// Bytes of memory in RAM, those of them that are private and anonymous, and of address space.
    var residentBytes: UInt64 = 0
    var privateBytes: UInt64 = 0
    var virtualBytes: UInt64 = 0
    var threads = 0
    var openDescriptors = 0
    var descriptorLimit = 0

    /// Reads the statistics. Without /proc (`folder`), the processor time is from getrusage(2), descriptors are counted by
    /// their numbers, and memory and threads stay 0, which means unknown.
    static func read(descriptorLimit: Int, folder: String = "/proc/self") -> ProcessStats {
        var stats = ProcessStats()
        if let stat = SmallFile.read("\(folder)/stat") {
            stats.parse(stat: stat, ticks: ticksPerSecond)
        } else {
            stats.cpuSeconds = usedSeconds
        }
        if let status = SmallFile.read("\(folder)/status") { stats.parse(status: status) }
        stats.openDescriptors = DescriptorLimit.inUse(listedIn: "\(folder)/fd")
        stats.descriptorLimit = descriptorLimit
        return stats
    }

    private static var usedSeconds: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    private static var ticksPerSecond: Double { Double(max(1, sysconf(CInt(_SC_CLK_TCK)))) }

    /// proc_pid_stat(5): the fields after the name, which is in parentheses and may contain anything; utime and stime are
    /// the fields 14 and 15.
    mutating func parse(stat: String, ticks: Double) {
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return }
        cpuSeconds = (user + system) / ticks
    }

    /// proc_pid_status(5): sizes are in kB, which are 1024 bytes.
    mutating func parse(status: String) {
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let number = UInt64(words[1]) else { continue }
            switch words[0] {
            case "VmRSS:": residentBytes = number.bytes
            case "RssAnon:": privateBytes = number.bytes
            case "VmSize:": virtualBytes = number.bytes
            case "Threads:": threads = Int(clamping: number)
            default: break
            }
        }
    }
}

extension UInt64 {
    /// The bytes in this number of KiB, the unit of /proc/PID/status (proc(5)).
    fileprivate var bytes: UInt64 {
        let (bytes, overflow) = multipliedReportingOverflow(by: 1024)
        return overflow ? .max : bytes
    }
}
