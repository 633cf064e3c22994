import Foundation
import Sockets
import TestSupport

/// HAProxy and nginx, which implement the PROXY protocol, on either side of a Tapline.
extension Scene {
    /// A loopback port that was free a moment ago.
    func freePort() throws -> Int { Int(try PeerListener.freePort().port ?? 0) }

    /// Starts HAProxy with these sections after the defaults, and waits until a port answers.
    @discardableResult
    func haproxy(_ sections: String, port: Int, _ puppet: Puppet) async throws -> Program {
        let path = try file(
            "haproxy-\(port).cfg",
            """
            defaults
                timeout connect 20s
                timeout client 60s
                timeout server 60s
            \(sections)

            """)
        let program = try start(["haproxy", "-db", "-f", path])
        try await puppet.awaitListener("127.0.0.1:\(port)")
        return program
    }

    /// A HAProxy that forwards to another port; `options` are the server's.
    func haproxy(to server: Int, options: String, frontend: String = "", _ puppet: Puppet) async throws -> Int {
        let port = try freePort()
        try await haproxy(
            """
            listen front
                mode tcp
                bind 127.0.0.1:\(port)
                \(frontend)
                server tapline 127.0.0.1:\(server) \(options)
            """, port: port, puppet)
        return port
    }

    /// A HAProxy that answers every request with the client's address and port and the unique ID of its header; `bind`
    /// are options of its listener.
    func answeringHAProxy(bind: String = "", _ puppet: Puppet) async throws -> Int {
        let port = try freePort()
        try await haproxy(
            """
            frontend answers
                mode http
                bind 127.0.0.1:\(port) \(bind)
                http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[fc_pp_unique_id]"
            """, port: port, puppet)
        return port
    }

    /// Starts nginx with these blocks, and waits until a port answers.
    func nginx(_ name: String, _ blocks: String, port: Int, _ puppet: Puppet) async throws {
        let path = try file(
            "\(name).conf",
            """
            daemon off;
            master_process off;
            pid \(self.path(name)).pid;
            error_log stderr warn;
            \(blocks)

            """)
        try start(["nginx", "-p", folder, "-e", "stderr", "-c", path])
        try await puppet.awaitListener("127.0.0.1:\(port)")
    }

    /// nginx's temporary files: in the folder of the test.
    var nginxFolders: String {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(path("nginx-\($0)"));" }
            .joined(separator: "\n")
    }

    /// An nginx that expects a header, and answers every request with the client's address and port from the header.
    /// Its log has the same.
    func answeringNginx(_ puppet: Puppet) async throws -> (port: Int, log: String) {
        let port = try freePort()
        let log = path("nginx-\(port).log")
        try await nginx(
            "answers-\(port)",
            """
            events {}
            http {
                \(nginxFolders)
                log_format who '$proxy_protocol_addr:$proxy_protocol_port to $proxy_protocol_server_port';
                access_log \(log) who;
                server {
                    listen 127.0.0.1:\(port) proxy_protocol;
                    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port\\n"; }
                }
            }
            """, port: port, puppet)
        return (port, log)
    }

    /// An nginx that forwards connections to another port, with a header.
    func forwardingNginx(to server: Int, takingClientsFromHeaders: Bool = false, _ puppet: Puppet) async throws -> Int {
        let port = try freePort()
        let module = Self.streamModule.map { "load_module \($0);" } ?? ""
        try await nginx(
            "forwards-\(port)",
            """
            \(module)
            events {}
            stream {
                server {
                    listen 127.0.0.1:\(port)\(takingClientsFromHeaders ? " proxy_protocol" : "");
                    \(takingClientsFromHeaders ? "set_real_ip_from 127.0.0.0/8;" : "")
                    proxy_pass 127.0.0.1:\(server);
                    proxy_protocol on;
                }
            }
            """, port: port, puppet)
        return port
    }

    /// Debian's nginx has its stream part in a module.
    private static var streamModule: String? {
        ["/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules"]
            .map { "\($0)/ngx_stream_module.so" }.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// Sends an HTTP request from another address of this machine; returns the words of the answer.
    func ask(_ port: Int, from client: String = "127.0.0.7", _ options: String...) async throws -> [String] {
        let words = ["curl", "-sS", "--max-time", "60", "--noproxy", "*", "--interface", client]
        let answer = try await run(words + options + ["http://127.0.0.1:\(port)/"], within: .seconds(90))
        return answer.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
