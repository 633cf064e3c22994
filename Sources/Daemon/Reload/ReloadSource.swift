/// The source of a request to reload.
enum ReloadSource: String, Hashable, Sendable {
    /// The signal; it also reopens the access log.
    case signal = "SIGHUP"
    /// The file changed.
    case file
    /// The admin API.
    case api = "API"
}
