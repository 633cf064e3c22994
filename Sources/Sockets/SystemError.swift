/// A failed system call, with what it was to do; for messages.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The attempt, as a phrase that completes "cannot …", for example `listen on 127.0.0.1:80`.
    public let attempt: String
    /// The cause.
    public let errno: Errno
    /// What to do about it; nil if unknown.
    public let advice: String?
    /// The subject; nil if no setting of a configuration names it.
    public let subject: Subject?

    /// Describes a failed attempt.
    public init(_ attempt: String, _ errno: Errno, advice: String? = nil, subject: Subject? = nil) {
        self.attempt = attempt
        self.errno = errno
        self.advice = advice
        self.subject = subject
    }

    /// One line: the attempt, the cause and the advice.
    public var description: String {
        let line = "cannot \(attempt): \(errno) (\(errno.name))"
        guard let advice else { return line }
        return "\(line); \(advice)"
    }
}
