/// Why the configuration's files are compared with the configuration in force.
enum LookCause: Hashable, Sendable {
    /// A change was reported: an event of a directory, or another signature or digest of a file.
    case report
    /// No change is known, but one between the last read and the start of a watch would not have been reported.
    case precaution
}
