import Configuration
import Recording
import Terminal

extension RecordedConversation {
    /// The upstream as configured; for an intercepted connection, and in captures of other programs, its destination.
    var destination: String {
        let configured = upstream ?? listener
        guard configured == UpstreamAddress.originalDestination.description else { return configured }
        return upstreamAddress ?? configured
    }

    /// Whether it ended in any way but in order.
    var isFailure: Bool { ReasonText.isFailure(reason) }
}

extension RecordedConversation {
    /// Who ended it: by Tapline's comment, or else by the reason; nil if unknown.
    var endedBy: String? {
        if let closedBy { return closedBy }
        guard let reason else { return nil }
        if reason.hasPrefix("client_") { return "client" }
        return reason.hasPrefix("upstream_") || reason == "connect_refused" ? "upstream" : nil
    }
}
