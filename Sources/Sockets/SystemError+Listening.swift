internal import Glibc

extension SystemError {
    /// A failure to listen on an address, with advice. `user` completes "cannot listen on … for …".
    public init(listeningOn address: SocketAddress, for user: String, subject: Subject, _ errno: Errno) {
        var advice: String?
        switch (errno.code, address) {
        case (EADDRINUSE, .unix) where address.isAbstract:
            advice =
                "a process listens on this abstract name: `ss -xlp` shows which; if it is Tapline itself, and the name moves "
                + "between the admin API and a relay, reload without the name first"
        case (EADDRINUSE, .unix):
            advice = "another process listens on this socket; stop it or choose another path"
        case (EEXIST, .unix):
            advice = "a file that is not a socket exists there; remove it or choose another path"
        case (ENOENT, .unix):
            advice = "its directory does not exist"
        case (EADDRINUSE, _):
            advice = "another process uses the port: `ss -ltnp 'sport = :\(address.port ?? 0)'` shows which"
        case (EACCES, .ipv4), (EACCES, .ipv6), (EPERM, .ipv4), (EPERM, .ipv6):
            if let port = address.port, port < 1024 {
                advice =
                    "a port below 1024 needs the capability CAP_NET_BIND_SERVICE: run as root, or "
                    + "`setcap cap_net_bind_service=+ep` the binary, or choose a higher port"
            }
        case (EACCES, .unix):
            advice = "its directory is not writable"
        case (EADDRNOTAVAIL, _):
            advice = "no interface of this machine has that address"
        case (EMFILE, _):
            advice = "the limit on open files is reached: raise `ulimit -n`"
        default:
            break
        }
        self.init("listen on \(address) for \(user)", errno, advice: advice, subject: subject)
    }
}
