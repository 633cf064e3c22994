"""The command line of `run`."""

import argparse
import os

import cases
import lineup


def parse(arguments, root):
    parser = argparse.ArgumentParser(
        prog="Tests/Benchmarks/run", description="Compares Tapline with HAProxy, nginx and no relay at all."
    )
    parser.add_argument("path", nargs="?", help="the tapline to measure (default: .build/release/tapline)")
    parser.add_argument("--tapline", help="the same, as an option")
    parser.add_argument("--rounds", type=int, default=None, help="rounds, 1 to 100 (default: 5)")
    parser.add_argument("--seconds", type=float, default=None, help="seconds a run is measured, 0.2 to 60 (default: 3)")
    names = ", ".join(case.name for case in cases.all_cases)
    parser.add_argument(
        "--cases",
        help=f"of: {names} (default: {','.join(cases.default_cases)});"
        " recording: what recording costs, among the peers that record; tls: the cases with TLS, among the peers that"
        " speak it"
    )
    parser.add_argument("--all", action="store_true", help="all cases with all peers, recording too: about an hour")
    relays = ", ".join(peer.name for peer in lineup.all_peers(""))
    parser.add_argument("--peers", help=f"of: {relays} (default: {','.join(lineup.default_peers)})")
    parser.add_argument("--quick", action="store_true", help="one round of one second: shows that all works, no more")
    parser.add_argument(
        "--output", metavar="FOLDER", default=os.path.join(root, ".build-bench"),
        help="where figures.json, tables.md and the pictures go (default: .build-bench)")
    parser.add_argument(
        "--document", action="store_true", help="also write the tables and pictures of docs/reference/measurements.md")
    parser.add_argument(
        "--from", dest="sources", metavar="FILE", nargs="+",
        help="measure nothing: tell what these figures.json have, together")
    parser.add_argument("--pin", choices=["auto", "none", "relay", "split"], default="auto", help="where processes run")
    parser.add_argument(
        "--patience", type=int, default=2, help="how often a run is repeated while others use the cores (default: 2)"
    )
    parser.add_argument("--connections", type=int, default=4000, help="idle connections (default: 4000)")
    parser.add_argument("--strict", action="store_true", help="exit with 2 when Tapline is behind")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 3.0)
    if not 1 <= options.rounds <= 100 or not 0.2 <= options.seconds <= 60:
        parser.error("rounds are 1 to 100, seconds 0.2 to 60")
    if not 0 <= options.patience <= 20:
        parser.error("patience is 0 to 20")
    if not 1 <= options.connections <= 20000:
        parser.error("idle connections are 1 to 20000")
    for path in options.sources or []:
        if not os.path.isfile(path):
            parser.error(f"{path}: no such file; --from takes the figures.json of earlier runs")

    options.tapline = options.tapline or options.path or os.path.join(root, ".build", "release", "tapline")
    _choose(parser, options)
    return options


def _choose(parser, options):
    """Puts in place the cases and the peers that the names mean."""
    known = {peer.name: peer for peer in lineup.all_peers(os.path.abspath(options.tapline))}
    default_peers = lineup.default_peers
    if options.cases == "recording":
        options.cases, default_peers = ",".join(cases.recording_cases), lineup.recording_peers
    elif options.cases == "tls":
        options.cases, default_peers = ",".join(cases.secure_cases), lineup.secure_peers
    elif options.all:
        default_peers = [*lineup.all_relays, *lineup.recording_peers, *lineup.secure_peers]
    wanted = options.peers.split(",") if options.peers else default_peers
    by_name = {case.name: case for case in cases.all_cases}
    chosen = list(by_name) if options.all else options.cases.split(",") if options.cases else cases.default_cases
    for name in wanted:
        if name not in known:
            parser.error(f"{name}: no such peer; there are {', '.join(known)}")
    for name in chosen:
        if name not in by_name:
            parser.error(f"{name}: no such case; there are {', '.join(by_name)}")
    options.peers = [known[name] for name in dict.fromkeys(wanted)]
    options.cases = [by_name[name] for name in dict.fromkeys(chosen)]
    if options.sources:
        options.peers = list(known.values())
        return
    for peer in options.peers:
        if not peer.available() and peer.name.startswith("tapline"):
            parser.error(f"{options.tapline}: no such program; make build makes it, or name another, or use --peers")
        if not peer.available():
            # A table without its best peer would flatter us: say it, rather than leave it out.
            parser.error(
                f"{peer.name}: not installed (haproxy, nginx with libnginx-mod-stream, socat, stunnel4, tcpdump);"
                " or use --peers")
