"""The relays that are compared, each with the settings that make it fastest on this load.

All of them: one thread or worker that carries traffic, no logging, TCP_NODELAY on both sides, no timeout that could
fire. What was tried and made no difference, or made it slower, is in README.md.
"""

import dataclasses
import os
import pathlib
import shutil

from machine import output


@dataclasses.dataclass(frozen=True)
class Wanted:
    """127.0.0.1:port relayed to 127.0.0.1:upstream, by a program that stays in the foreground."""

    port: int  # the first, of as many as there are relays
    upstream: int
    directory: pathlib.Path  # of this run alone
    connections: int  # must be possible: HAProxy and nginx set memory aside by it
    relays: int = 1

    def ports(self):
        return range(self.port, self.port + self.relays)


class Peer:
    name = ""
    title = ""  # in the plots
    program = ""
    records = False  # into files
    secure = False  # speaks TLS with its clients

    def takes(self, case):
        """Whether it is of use in this case."""
        return self.secure == bool(case.key)

    def available(self):
        return shutil.which(self.program) is not None

    def version(self):
        return None

    def command(self, wanted):
        """The command that does what is wanted."""
        raise NotImplementedError

    def companion(self, port, directory):
        """The command of a second program on the same core, and the text in its log once it works; or None."""
        return None

    def lost(self, directory, passed):
        """The share of this many bytes that it should have recorded and did not, after its end; None if it does not record."""
        return None


class Direct(Peer):
    """No relay: what the generator and the kernel can do. Not a competitor."""

    name = "direct"
    title = "no relay"

    def available(self):
        return True

    def takes(self, case):
        return super().takes(case) and not case.needs_relay


class Tapline(Peer):
    name = "tapline"
    title = "Tapline"

    def __init__(self, path):
        self.program = path

    def available(self):
        return os.access(self.program, os.X_OK)

    def command(self, wanted):
        if wanted.relays == 1:
            return [self.program, "forward", f"{wanted.port}:127.0.0.1:{wanted.upstream}", "--workers", "1", "--quiet"]
        path = pathlib.Path(wanted.directory, "tapline.yaml")
        relays = "".join(
            f"  - {{ name: relay-{port}, listen: '127.0.0.1:{port}', upstream: '127.0.0.1:{wanted.upstream}' }}\n"
            for port in wanted.ports()
        )
        path.write_text(f"log: {{ level: error, access: off }}\nworkers: 1\nrelays:\n{relays}")
        return [self.program, "run", "--config", str(path)]


class HAProxy(Peer):
    program = "haproxy"

    def __init__(self, name, title, settings, options=""):
        self.name = name
        self.title = title
        self.settings = settings
        self.options = options

    def listener(self, wanted):
        """The rest of its `bind` lines."""
        return ""

    def version(self):
        return " ".join((output("haproxy", "-v") or "HAProxy").split()[:3])

    def command(self, wanted):
        path = pathlib.Path(wanted.directory, "haproxy.cfg")
        relays = "".join(
            f"""listen relay-{port}
    bind 127.0.0.1:{port} backlog 4096 {self.listener(wanted)}
    server upstream 127.0.0.1:{wanted.upstream}
"""
            for port in wanted.ports()
        )
        path.write_text(
            f"""global
    nbthread 1
    maxconn {wanted.connections}
{self.settings}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
{self.options}
{relays}"""
        )
        return ["haproxy", "-db", "-q", "-f", str(path)]


class Nginx(Peer):
    program = "nginx"
    modules = ["/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules"]

    def __init__(self, name, title, buffer, half_close="off"):
        self.name = name
        self.title = title
        self.buffer = buffer
        self.half_close = half_close

    def module(self):
        for folder in self.modules:
            if os.path.exists(f"{folder}/ngx_stream_module.so"):
                return f"load_module {folder}/ngx_stream_module.so;"
        return ""

    def listener(self, wanted):
        """The rest of its `listen` lines, and what follows them."""
        return "", ""

    def available(self):
        return super().available() and (self.module() != "" or "--with-stream " in (output("nginx", "-V") or ""))

    def version(self):
        return (output("nginx", "-v") or "nginx").replace("nginx version: ", "")

    def command(self, wanted):
        path = pathlib.Path(wanted.directory, "nginx.conf")
        user = "user root;" if os.geteuid() == 0 else ""
        listener, more = self.listener(wanted)
        upstream = f"proxy_pass 127.0.0.1:{wanted.upstream}"
        servers = "".join(
            f"    server {{ listen 127.0.0.1:{port} backlog=4096 {listener}; {upstream}; {more} }}\n"
            for port in wanted.ports()
        )
        path.write_text(
            f"""{self.module()}
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {4 * wanted.connections + wanted.relays};
pid {wanted.directory}/nginx.pid;
error_log stderr crit;
events {{
    use epoll;
    worker_connections {2 * wanted.connections + wanted.relays + 100};
    accept_mutex off;
    multi_accept on;
}}
stream {{
    access_log off;
    proxy_buffer_size {self.buffer};
    proxy_half_close {self.half_close};
    proxy_timeout 1h;
    tcp_nodelay on;
{servers}}}
"""
        )
        return ["nginx", "-p", str(wanted.directory), "-c", str(path)]


class Socat(Peer):
    """A process for each connection, so not where there are thousands of them, and one relay a program."""

    name = "socat"
    title = "socat"
    program = "socat"

    def takes(self, case):
        return super().takes(case) and case.connections <= 64 and case.relays == 1

    def version(self):
        for line in (output("socat", "-V") or "").splitlines():
            if line.startswith("socat version"):
                return " ".join(line.split()[:3])
        return "socat"

    def command(self, wanted):
        return [
            "socat",
            "-b262144",
            f"TCP4-LISTEN:{wanted.port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096",
            f"TCP4:127.0.0.1:{wanted.upstream},nodelay",
        ]
