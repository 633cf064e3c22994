internal import Glibc
internal import Sockets

/// What the system says of this process. Read from /proc when somebody asks; blocks for microseconds.
struct ProcessFigures: Hashable, Sendable {
    /// Processor time since the start, user and system, seconds.
    var cpuSeconds = 0.0
    /// Bytes of memory in RAM, those of them that are private and anonymous, and of address space.
    var residentBytes: UInt64 = 0
    var privateBytes: UInt64 = 0
    var virtualBytes: UInt64 = 0
    var threads = 0
    var openDescriptors = 0
    var descriptorLimit = 0

    /// Reads them. A figure that cannot be read stays 0.
    static func read(descriptorLimit: Int) -> ProcessFigures {
        var figures = ProcessFigures()
        if let stat = SmallFile.read("/proc/self/stat") { figures.take(stat: stat, ticks: ticksPerSecond) }
        if let status = SmallFile.read("/proc/self/status") { figures.take(status: status) }
        figures.openDescriptors = DescriptorLimit.inUse()
        figures.descriptorLimit = descriptorLimit
        return figures
    }

    private static var ticksPerSecond: Double { Double(max(1, sysconf(CInt(_SC_CLK_TCK)))) }

    /// proc_pid_stat(5): the fields after the name, which stands in parentheses and may hold anything; utime and stime
    /// are the fields 14 and 15.
    mutating func take(stat: String, ticks: Double) {
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return }
        cpuSeconds = (user + system) / ticks
    }

    /// proc_pid_status(5): sizes are in kB, by which the kernel means 1024 bytes.
    mutating func take(status: String) {
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let number = UInt64(words[1]) else { continue }
            switch words[0] {
            case "VmRSS:": residentBytes = number * 1024
            case "RssAnon:": privateBytes = number * 1024
            case "VmSize:": virtualBytes = number * 1024
            case "Threads:": threads = Int(number)
            default: break
            }
        }
    }
}
