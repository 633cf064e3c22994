import Foundation

/// Services with certificates, and their clients.
extension Scene {
    /// Creates a key and a self-signed certificate for a service.
    func certify(_ service: String, for names: [String]) async throws {
        let base = path(service)
        try await run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "30", "-subj", "/CN=\(service)", "-addext",
            "subjectAltName=" + names.map { "DNS:\($0)" }.joined(separator: ","),
            "-keyout", base + ".key", "-out", base + ".crt")
    }

    /// An nginx with a service on its own port for each of these names, and a certificate for that name; each answers
    /// with its name and the requested one. `names` are additional names in its certificate.
    func secureNginx(_ services: [(name: String, names: [String])], _ puppet: Puppet) async throws -> [Int] {
        var servers = ""
        var ports: [Int] = []
        for service in services {
            let port = try freePort()
            let base = path(service.name)
            try await certify(service.name, for: service.names)
            ports.append(port)
            servers += """
                server {
                    listen 127.0.0.1:\(port) ssl http2;
                    ssl_protocols TLSv1.2 TLSv1.3;
                    ssl_certificate \(base).crt;
                    ssl_certificate_key \(base).key;
                    location / {
                        return 200 "\(service.name) $ssl_server_name $server_protocol $ssl_protocol $remote_addr\\n";
                    }
                }

                """
        }
        try await nginx(
            "secure", "events {}\nhttp {\n\(nginxFolders)\naccess_log off;\n\(servers)}", port: ports[0], puppet)
        for port in ports.dropFirst() { try await puppet.awaitListener("127.0.0.1:\(port)") }
        return ports
    }

    /// Requests a name over TLS at a loopback port, and trusts the certificate of one service only; returns the words
    /// of the answer.
    func ask(_ name: String, at port: Int, trusting service: String, _ options: String...) async throws -> [String] {
        let words = [
            "curl", "-sS", "--max-time", "60", "--noproxy", "*", "--cacert", path(service) + ".crt", "--connect-to",
            "::127.0.0.1:\(port)",
        ]
        let answer = try await run(words + options + ["https://\(name)/"], within: .seconds(90))
        return answer.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
