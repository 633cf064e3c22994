import ArgumentParser
import Client
import Configuration
import Relay
import Show
import Sockets
import Terminal
import Text

// Values of options: conformances for types of other modules, and parsers with error messages.

extension ShowFormat: ExpressibleByArgument {}
extension TailFormat: ExpressibleByArgument {}
extension TrafficView: ExpressibleByArgument {}

/// Words as a list in a sentence: `a, b or c`.
func listed(_ words: [String]) -> String {
    words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
}

/// The order of connections as an option's value.
func parseConnectionSort(_ text: String) throws -> ConnectionSort {
    guard let sort = ConnectionSort(text) else { throw ValidationError("write \(listed(ConnectionSort.keys))") }
    return sort
}

/// The order of a summary as an option's value.
func parseShowSort(_ text: String) throws -> ShowSort {
    guard let sort = ShowSort(parsing: text) else { throw ValidationError("write \(listed(ShowSort.keys))") }
    return sort
}

/// The party that ended a connection as an option's value.
func parseClosedBy(_ text: String) throws -> ClosedBy {
    guard let side = ClosedBy(rawValue: text) else {
        throw ValidationError("write \(listed(ClosedBy.allCases.map(\.rawValue)))")
    }
    return side
}

/// An end reason as an option's value. A part of one, such as `refused`, is answered with the reasons that contain it.
func parseEndReason(_ text: String) throws -> EndReason {
    if let reason = EndReason(rawValue: text) { return reason }
    let known = EndReason.allCases.map(\.rawValue)
    let nearest = NearestKey.find(text, in: known).map { [$0] }
    let similar = nearest ?? known.filter { $0.split(separator: "_").contains { text.count > 2 && $0.hasPrefix(text) } }
    guard (1...3).contains(similar.count) else { throw ValidationError("write \(listed(known))") }
    throw ValidationError("did you mean \(listed(similar.map { "`\($0)`" }))? Write \(listed(known))")
}

/// A network as an option's value.
func parseNetwork(_ text: String) throws -> Network {
    do {
        return try Network(parsing: text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// A parser of an option's value from a parser of the configuration.
func parsed<Value>(
    _ parse: @escaping @Sendable (String) throws(ValueError) -> Value
) -> @Sendable (String) throws -> Value {
    { text in
        do throws(ValueError) {
            return try parse(text)
        } catch {
            throw ValidationError(error.message)
        }
    }
}

/// What a recording does when its memory is full, as an option's value.
func parseWhenFull(_ text: String) throws -> RecordSettings.WhenFull {
    guard let policy = RecordSettings.WhenFull(rawValue: text) else { throw ValidationError("write drop or block") }
    return policy
}

/// A duration as an option's value.
func parseDuration(_ text: String) throws -> Duration {
    do {
        return try DurationText.parse(text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// A number of workers as an option's value.
func parseWorkerCount(_ text: String) throws -> WorkerCount {
    do {
        return try WorkerCount(parsing: text)
    } catch {
        throw ValidationError(error.message)
    }
}

/// The form of a PROXY protocol header as an option's value.
func parseProxyVersion(_ text: String) throws -> ProxyProtocolSettings.Version {
    guard let version = ProxyProtocolSettings.Version(rawValue: text) else {
        throw ValidationError("write v1 or v2")
    }
    return version
}

/// A form of lines as an option's value.
func parseLogFormat(_ text: String) throws -> LogSettings.Format {
    guard let format = LogSettings.Format(rawValue: text) else {
        throw ValidationError("write text or json")
    }
    return format
}

/// A flow as an option's value.
func parseLeg(_ text: String) throws -> Side {
    guard let side = Side(rawValue: text) else { throw ValidationError("write client or upstream") }
    return side
}

func parseFlow(_ text: String) throws -> Direction {
    guard let flow = Direction(rawValue: text) else { throw ValidationError("write up or down") }
    return flow
}

extension CommandFailure {
    /// The refusal to write a recording to a terminal, which would obey its control characters.
    static let binaryOnTerminal = CommandFailure(
        .usage,
        "tapline: refusing to write binary pcapng to a terminal; pipe it (| wireshark -k -i -) or redirect it "
            + "(> FILE.pcapng)")
}
