internal import Glibc

/// The process's core dumps.
public enum CoreDump {
    /// Forbids them, because the memory has keys: a soft limit of one byte, which is too small for a file, and with which the
    /// kernel starts no program that takes dumps either (core(5); a limit of 0 does not keep it from that). `prlimit
    /// --core=unlimited --pid PID` permits them again. Nothing happens where the limit cannot be set: it is then 0.
    public static func forbid() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0, limit.rlim_max >= 1 else { return }
        limit.rlim_cur = 1
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
