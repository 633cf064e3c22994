"""The relays that are compared, each with the settings that make it fastest on this load.

All of them: one thread or worker that carries traffic, no logging, TCP_NODELAY on both sides, no timeout that could
fire. What was tried and made no difference, or made it slower, is in README.md.
"""

import os
import pathlib
import shutil

from machine import output


class Peer:
    name = ""
    program = ""
    records = False  # into files

    def available(self):
        return shutil.which(self.program) is not None

    def version(self):
        return None

    def command(self, port, upstream, directory, connections):
        """The command that relays 127.0.0.1:port to 127.0.0.1:upstream and stays in the foreground.

        `connections` is how many must be possible: HAProxy and nginx set memory aside by it.
        """
        raise NotImplementedError

    def beside(self, port, directory):
        """The command of what runs beside it on the same core, and what its log says once it works; or None."""
        return None

    def lost(self, directory, passed):
        """What share of so many bytes it was to record and did not, after it has ended; None: it records nothing."""
        return None


class Direct(Peer):
    """No relay: what the generator and the kernel can do. Not a competitor."""

    name = "direct"

    def available(self):
        return True


class Tapline(Peer):
    name = "tapline"

    def __init__(self, path):
        self.program = path

    def available(self):
        return os.access(self.program, os.X_OK)

    def command(self, port, upstream, directory, connections):
        return [self.program, "forward", f"{port}:127.0.0.1:{upstream}", "--workers", "1", "--quiet"]


class HAProxy(Peer):
    program = "haproxy"

    def __init__(self, name, settings, options=""):
        self.name = name
        self.settings = settings
        self.options = options

    def version(self):
        return " ".join((output("haproxy", "-v") or "HAProxy").split()[:3])

    def command(self, port, upstream, directory, connections):
        path = pathlib.Path(directory, "haproxy.cfg")
        path.write_text(
            f"""global
    nbthread 1
    maxconn {connections}
{self.settings}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
{self.options}
listen relay
    bind 127.0.0.1:{port} backlog 4096
    server upstream 127.0.0.1:{upstream}
"""
        )
        return ["haproxy", "-db", "-q", "-f", str(path)]


class Nginx(Peer):
    program = "nginx"
    modules = ["/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules"]

    def __init__(self, name, buffer, half_close="off"):
        self.name = name
        self.buffer = buffer
        self.half_close = half_close

    def module(self):
        for folder in self.modules:
            if os.path.exists(f"{folder}/ngx_stream_module.so"):
                return f"load_module {folder}/ngx_stream_module.so;"
        return ""

    def available(self):
        return super().available() and (self.module() != "" or "--with-stream " in (output("nginx", "-V") or ""))

    def version(self):
        return (output("nginx", "-v") or "nginx").replace("nginx version: ", "")

    def command(self, port, upstream, directory, connections):
        path = pathlib.Path(directory, "nginx.conf")
        user = "user root;" if os.geteuid() == 0 else ""
        path.write_text(
            f"""{self.module()}
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {4 * connections};
pid {directory}/nginx.pid;
error_log stderr crit;
events {{
    use epoll;
    worker_connections {2 * connections + 100};
    accept_mutex off;
    multi_accept on;
}}
stream {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_pass 127.0.0.1:{upstream};
        proxy_buffer_size {self.buffer};
        proxy_half_close {self.half_close};
        proxy_timeout 1h;
        tcp_nodelay on;
    }}
}}
"""
        )
        return ["nginx", "-p", str(directory), "-c", str(path)]


class Socat(Peer):
    """A process for each connection: for scale, not a competitor in churn."""

    name = "socat"
    program = "socat"

    def version(self):
        for line in (output("socat", "-V") or "").splitlines():
            if line.startswith("socat version"):
                return " ".join(line.split()[:3])
        return "socat"

    def command(self, port, upstream, directory, connections):
        return [
            "socat",
            "-b262144",
            f"TCP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096",
            f"TCP4:127.0.0.1:{upstream},nodelay",
        ]
