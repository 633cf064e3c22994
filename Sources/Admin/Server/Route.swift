/// The routes of the API. Every other path is unknown: no path is ever used as a file's.
enum Route: Hashable, Sendable {
    case page, pageStyle, pageScript
    case healthz, readyz, metrics
    case status
    case relays
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
        case .page, .pageStyle, .pageScript, .healthz, .readyz, .metrics, .status, .relays, .connections, .closed,
            .tap, .events:
            ["GET", "HEAD"]
        case .recording: ["GET", "HEAD", "POST", "DELETE"]
        case .connection: ["GET", "HEAD", "DELETE"]
        case .reload, .drain, .shutdown: ["POST"]
        }
    }

    /// The allowed keys of its query.
    var parameters: [String] {
        switch self {
        case .relays, .events: ["relay"]
        case .connections: ["relay", "sort", "limit"]
        case .closed: ["relay", "reason", "since", "limit"]
        case .tap: ["relay", "connection"]
        case .page, .pageStyle, .pageScript, .healthz, .readyz, .metrics, .status, .recording, .connection, .reload,
            .drain, .shutdown:
            []
        }
    }

    /// Whether no token is required: for probes, and for the page, which contains no data.
    var isOpen: Bool {
        switch self {
        case .page, .pageStyle, .pageScript, .healthz, .readyz: true
        case .metrics, .status, .relays, .recording, .connections, .connection, .closed, .reload, .drain, .shutdown,
            .tap, .events:
            false
        }
    }
}

/// Percent-encoding (RFC 3986, section 2.1).
enum PercentText {
    /// The decoded text; nil if an escape is incomplete or the bytes are not UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(hexadecimal), let low = rest.next().flatMap(hexadecimal) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
