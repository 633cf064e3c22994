"""The relays that speak TLS with their clients, and what is measured of it.

All of them have the same certificate and their own defaults otherwise: the client settles the version and the cipher suite.
One thread, as without TLS; stunnel, which has a thread for each connection, shares one core as well.
"""

import pathlib
import ssl
import subprocess

from machine import Failed, output
from peers import HAProxy, Nginx, Peer, Tapline

KEYS = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}


def certify(directory, key):
    """A certificate and its key in `bench.crt` and `bench.key`, and both in `bench.pem`."""
    chain, secret = (pathlib.Path(directory, f"bench.{kind}") for kind in ("crt", "key"))
    command = ["openssl", "req", "-x509", "-newkey", *KEYS[key], "-nodes", "-days", "2", "-subj", "/CN=bench.example"]
    names = ["-addext", "subjectAltName=DNS:bench.example"]
    subprocess.run([*command, *names, "-keyout", secret, "-out", chain], check=True, capture_output=True)
    pathlib.Path(directory, "bench.pem").write_text(chain.read_text() + secret.read_text())


def wrap(probe):
    """TLS on a socket of the driver."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(probe, server_hostname="bench.example", suppress_ragged_eofs=False)


# The peers


class TaplineTLS(Tapline):
    name = "tapline-tls"
    title = "Tapline"
    secure = True

    def command(self, wanted):
        files = [f"--tls-{option}={wanted.directory}/bench.{kind}" for option, kind in (("cert", "crt"), ("key", "key"))]
        spec = f"tls:{wanted.port}=127.0.0.1:{wanted.upstream}"
        return [self.program, "forward", spec, *files, "--workers", "1", "--quiet"]


class HAProxyTLS(HAProxy):
    secure = True

    def __init__(self):
        super().__init__("haproxy-tls", "HAProxy", "    tune.bufsize 65536")

    def listener(self, wanted):
        return f"ssl crt {wanted.directory}/bench.pem"


class NginxTLS(Nginx):
    secure = True

    def __init__(self):
        super().__init__("nginx-tls", "nginx", "64k", half_close="on")

    def listener(self, wanted):
        files = f"ssl_certificate {wanted.directory}/bench.crt; ssl_certificate_key {wanted.directory}/bench.key;"
        return "ssl", f"ssl_protocols TLSv1.2 TLSv1.3; {files}"


class Stunnel(Peer):
    name = "stunnel"
    title = "stunnel"
    program = "stunnel4"
    secure = True

    def version(self):
        for line in (output("stunnel4", "-version") or "").splitlines():
            if line.startswith("stunnel "):
                return " ".join(line.split()[:2])
        return "stunnel"

    def command(self, wanted):
        path = pathlib.Path(wanted.directory, "stunnel.conf")
        path.write_text(
            f"""foreground = yes
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
TIMEOUTidle = 3600
[bench]
accept = 127.0.0.1:{wanted.port}
connect = 127.0.0.1:{wanted.upstream}
cert = {wanted.directory}/bench.pem
"""
        )
        return ["stunnel4", str(path)]


# The cases


def handshakes(run, kind, slots):
    result, server, cpu = run.client("tls-handshakes", "127.0.0.1", run.target, kind, slots, run.setting.seconds)
    if result["failures"] or server["errors"]:
        raise Failed(f"a handshake failed ({result['first_failure']}), {server['errors']} cut at the server")
    # Each slot begins with a full one.
    wanted = result["total"] - slots if kind == "resumed" else 0
    if (result["resumed"] < wanted) if wanted else result["resumed"]:
        raise Failed(f"{result['resumed']} of {result['total']} sessions were resumed")
    return {
        "rate": result["connections"] / result["seconds"],
        "cpu": run.per(cpu * 1e6, result["total"]),
        "p50": result["p50_us"],
        "p99": result["p99_us"],
    }
