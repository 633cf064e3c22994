"""Who is compared, and with whom by default."""

from peers import Direct, HAProxy, Nginx, Socat, Tapline
from recorders import HAProxyTcpdump, SocatRecording, TaplineRecording
from secure import HAProxyTLS, NginxTLS, Stunnel, TaplineTLS


def all_peers(tapline):
    # `splice-request` and `splice-response` always splice where a pipe is to be had; `splice-auto`, HAProxy's own
    # choice, rarely does. Pipes hold 1 MiB: the default of 64 KiB nearly doubles the cost of a byte.
    pipes, splice = "    tune.pipesize 1048576", "    option splice-request\n    option splice-response"
    buffers = "    tune.bufsize 65536"
    return [
        Direct(),
        Tapline(tapline),
        TaplineRecording(tapline, "drop"),
        TaplineRecording(tapline, "block"),
        HAProxy("haproxy-splice", "HAProxy, splice", pipes, splice),
        HAProxy("haproxy-64k", "HAProxy, 64 KiB", buffers),
        HAProxyTcpdump("haproxy-splice-tcpdump", "HAProxy, splice, tcpdump", pipes, splice),
        HAProxyTcpdump("haproxy-64k-tcpdump", "HAProxy, 64 KiB, tcpdump", buffers),
        Nginx("nginx-64k", "nginx, 64 KiB", "64k"),
        Nginx("nginx-256k", "nginx, 256 KiB", "256k"),
        # What Tapline always does: the end of one direction is passed on, and the other stays open.
        Nginx("nginx-half-close", "nginx, half-close", "64k", half_close="on"),
        Socat(),
        SocatRecording(),
        TaplineTLS(tapline),
        HAProxyTLS(),
        NginxTLS(),
        Stunnel(),
    ]


not_competitors = {"direct", "tapline", "tapline-tls"}
default_peers = ["direct", "tapline", "haproxy-splice", "haproxy-64k", "nginx-64k", "nginx-256k"]
recording_peers = [
    "tapline", "tapline-record-drop", "tapline-record-block", "haproxy-splice", "haproxy-64k",
    "haproxy-splice-tcpdump", "haproxy-64k-tcpdump", "socat-record",
]
secure_peers = ["tapline-tls", "haproxy-tls", "nginx-tls", "stunnel"]
all_relays = [*default_peers, "nginx-half-close", "socat"]
