internal import Text

/// The routes of the API. Every other path is unknown: no path is ever used as a file's.
enum Route: Hashable, Sendable {
    case page, pageStyle, pageScript
    case healthz, readyz, metrics
    case status
    case relays
    case history
    case recording(relay: String)
    case connections
    case connection(UInt64)
    case closed
    case reload, drain, shutdown
    case tap, events

    /// The route of a path without its query; nil if unknown.
    init?(path: String) {
        let words = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard path.utf8.first == UInt8(ascii: "/"), words.count <= 4 else { return nil }
        switch Array(words) {
        case [""]: self = .page
        case ["page.css"]: self = .pageStyle
        case ["page.js"]: self = .pageScript
        case ["healthz"]: self = .healthz
        case ["readyz"]: self = .readyz
        case ["metrics"]: self = .metrics
        case ["v1", "status"]: self = .status
        case ["v1", "relays"]: self = .relays
        case ["v1", "history"]: self = .history
        case ["v1", "connections"]: self = .connections
        case ["v1", "closed"]: self = .closed
        case ["v1", "reload"]: self = .reload
        case ["v1", "drain"]: self = .drain
        case ["v1", "shutdown"]: self = .shutdown
        case ["v1", "tap"]: self = .tap
        case ["v1", "events"]: self = .events
        case let words where words.count == 3 && words.starts(with: ["v1", "connections"]):
            // A resource has one path: neither `+5` nor `05` is connection 5.
            guard let id = UInt64(words[2]), id > 0, String(id) == words[2] else { return nil }
            self = .connection(id)
        case let words where words.count == 4 && words.starts(with: ["v1", "relays"]) && words[3] == "recording":
            guard let name = PercentText.decode(words[2]), !name.isEmpty else { return nil }
            self = .recording(relay: name)
        default: return nil
        }
    }

    /// The allowed methods, in the order of `Allow`.
    var methods: [String] {
        switch self {
        case .page, .pageStyle, .pageScript, .healthz, .readyz, .metrics, .status, .relays, .history, .connections,
            .closed, .tap, .events:
            ["GET", "HEAD"]
        case .recording: ["GET", "HEAD", "POST", "DELETE"]
        case .connection: ["GET", "HEAD", "DELETE"]
        case .reload, .drain, .shutdown: ["POST"]
        }
    }

    /// The allowed keys of its query.
    var parameters: [String] {
        switch self {
        case .relays, .history, .events: ["relay"]
        case .connections: ["relay", "sort", "limit"]
        case .closed: ["relay", "reason", "since", "limit"]
        case .tap: ["relay", "connection", "encrypted"]
        case .page, .pageStyle, .pageScript, .healthz, .readyz, .metrics, .status, .recording, .connection, .reload,
            .drain, .shutdown:
            []
        }
    }

    /// Whether no token is required: for probes, and for the page, which contains no data.
    var isOpen: Bool {
        switch self {
        case .page, .pageStyle, .pageScript, .healthz, .readyz: true
        case .metrics, .status, .relays, .history, .recording, .connections, .connection, .closed, .reload, .drain,
            .shutdown, .tap, .events:
            false
        }
    }
}
