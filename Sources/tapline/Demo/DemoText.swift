import Sockets
import Terminal

/// The demo's text. Pure.
enum DemoText {
    /// Before the first step.
    static func introduction(relay: [SocketAddress], upstream: SocketAddress) -> String {
        """
        A conversation through Tapline, all on this machine:

          echo upstream   \(upstream), sends back what it receives
          relay           \(list(relay)), forwards to it


        """
    }

    /// One step.
    static func step(_ step: DemoConversation.Step) -> String {
        let said = "\"\(DemoConversation.greeting)\" (\(DemoConversation.greeting.utf8.count) bytes)"
        return switch step {
        case .found(let addresses):
            "1. The client looks up \(DemoConversation.host): \(list(addresses)).\n"
        case .connected(let local, let target):
            "2. It connects to \(target), from \(local).\n"
        case .sent: "3. It sends     \(said).\n"
        case .received: "4. It receives  \(said).\n"
        case .closed:
            """
            5. It closes the connection.

            Every connection ends with one record. This one's:


            """
        case .failed(let reason): "The conversation failed: \(reason).\n"
        }
    }

    /// An explanation of the conversation's record, with its bytes, in lines of this many columns.
    static func explanation(up: UInt64, down: UInt64, columns: Int) -> String {
        let keys = [
            ("bytes_up, bytes_down", "\(up) bytes reached the upstream, \(down) reached the client"),
            ("closed_by, reason", "the client closed it cleanly; a reset or a timeout would be named here"),
            (
                "connect_ms",
                "how long connecting took; first_byte_ms until the first byte of the answer, duration_ms in total"
            ),
            ("null", "no value: there was no error and no recording"),
        ]
        let lines = keys.flatMap { $1.wrapped(to: columns - 2, after: $0, indent: 23) }
        return "\n" + lines.map { "  \($0)\n" }.joined() + "\n"
    }

    /// What to try next.
    static func invitation(relay: [SocketAddress]) -> String {
        let port = relay.first?.port ?? 0
        return """
            The relay continues until Ctrl-C. From another terminal, try:

              echo 'Hello again!' | nc -N 127.0.0.1 \(port)
              nc 127.0.0.1 \(port)    (type lines; end with Ctrl-D or Ctrl-C)
              head -c 100000000 /dev/zero | nc -N 127.0.0.1 \(port) | wc -c

            The record of each appears here when it ends. To relay to a service of your own:

              tapline forward 8080:example.com:80


            """
    }

    private static func list(_ addresses: [SocketAddress]) -> String {
        addresses.map(\.description).joined(separator: " and ")
    }
}
