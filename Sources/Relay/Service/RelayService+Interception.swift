internal import Configuration
internal import Glibc
internal import Sockets

extension RelayService {
    /// Whether the system lets this process mark its sockets as relays ask for it: found before anything of a
    /// configuration is in force, for without its mark a connection would come back here, or be refused.
    static func checkMarks(_ relays: [RelaySettings]) throws(SystemError) {
        for relay in relays {
            guard let mark = relay.interception?.mark else { continue }
            do throws(Errno) {
                // Any socket has a mark; this kind asks for no family of addresses.
                try Socket(family: AF_UNIX).set(mark: mark)
            } catch {
                throw SystemError(
                    "mark the upstream sockets of relay \(relay.name) (interception.mark)", error,
                    advice: error.code == EPERM
                        ? "that takes CAP_NET_ADMIN (under systemd AmbientCapabilities=CAP_NET_ADMIN); or take the mark out, "
                            + "and let the rules leave out this process's user (meta skuid)" : nil)
            }
        }
    }
}
