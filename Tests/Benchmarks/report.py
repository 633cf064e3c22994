"""The tables, the ratios and the verdict."""

import dataclasses
import statistics

from cases import all_cases
from lineup import not_competitors, recording_peers

least = 0.95
"""Of the best peer, in every judged row; the aim is above 1.0."""


class Results:
    """The figures of all rounds: `values[case][peer][metric]` is a list, one a round that did not fail."""

    def __init__(self, values=None, failures=None):
        self.values = values or {}
        self.failures = failures or []
        self.others = []  # of each run, how many cores were busy with other things

    def add(self, case, peer, figures):
        of_peer = self.values.setdefault(case, {}).setdefault(peer, {})
        for key, value in figures.items():
            if value is not None:
                of_peer.setdefault(key, []).append(value)

    def add_all(self, other):
        for case, peers in other.values.items():
            for peer, metrics in peers.items():
                of_peer = self.values.setdefault(case, {}).setdefault(peer, {})
                for key, values in metrics.items():
                    of_peer.setdefault(key, []).extend(values)
        self.failures += other.failures

    def fail(self, case, peer, round, text):
        self.values.setdefault(case, {}).setdefault(peer, {})
        self.failures.append({"case": case, "peer": peer, "round": round, "error": text})

    def failed(self, case, peer):
        return sum(1 for failure in self.failures if failure["case"] == case and failure["peer"] == peer)

    def rounds(self):
        """How many rounds each case has that was measured."""
        return [
            max((len(values) for metrics in peers.values() for values in metrics.values()), default=0)
            for peers in self.values.values()
        ]

    def of(self, case, peer, key):
        return self.values.get(case, {}).get(peer, {}).get(key, [])

    def median(self, case, peer, key):
        values = self.of(case, peer, key)
        return statistics.median(values) if values else None


@dataclasses.dataclass(frozen=True)
class Group:
    """Cases in one table, with one picture of the metrics in `pictured`, row by row."""

    key: str
    title: str
    cases: list
    pictured: list
    peers: list = None  # None: the peers that do not record

    def taken(self, results, peers):
        """Those of the peers, in their order, that have figures here, or failed."""
        return [
            peer
            for peer in peers
            if (peer.name in self.peers if self.peers else not peer.records)
            and any(peer.name in results.values.get(case.name, {}) for case in self.cases)
        ]


def _named(*names):
    return [case for case in all_cases if case.name in names]


def _rate_and_cost(found):
    return [[(case.name, "rate"), (case.name, "cpu")] for case in found]


_bulk = [case for case in all_cases if case.name.startswith("bulk")]
_messages = [case for case in all_cases if case.name.startswith("msg") and case.relays == 1]
_recorded = [case for case in all_cases if case.recorded]
_secured = [case for case in all_cases if case.key]
groups = [
    Group("bulk", "Bulk", _bulk, _rate_and_cost(_bulk)),
    Group("messages", "Messages", _messages, _rate_and_cost(_messages)),
    Group(
        "connections",
        "Connections and start",
        _named("churn", "idle", "start"),
        [
            [("churn", "rate"), ("churn", "cpu")],
            [("idle", "memory"), ("start", "accepting")],
            [("start", "anonymous"), ("start", "resident")],
        ],
    ),
    Group(
        "relays",
        "500 relays",
        _named("msg64-c1000-r500", "churn-r500", "start-r500"),
        [
            *_rate_and_cost(_named("msg64-c1000-r500", "churn-r500")),
            [("start-r500", "accepting"), ("start-r500", "anonymous")],
        ],
    ),
    Group(
        "recording",
        "Recording",
        _recorded,
        [
            [("bulk1-down", "rate"), ("bulk1-down", "lost")],
            [("bulk1-down", "cpu"), ("msg64-c64", "rate")],
        ],
        recording_peers,
    ),
    Group(
        "tls",
        "TLS 1.3, AES-128-GCM, between the clients and the relay",
        _secured,
        [
            *_rate_and_cost(case for case in _secured if case.name != "tls-idle"),
            [("tls-idle", "memory"), ("tls-idle", "cpu")],
        ],
    ),
]


def told(results, peers):
    """The groups that have figures; recording only if a peer recorded."""
    recorders = {peer.name for peer in peers if peer.records}
    for group in groups:
        taken = group.taken(results, peers)
        if not taken:
            continue
        is_recording = group.peers is not None
        if is_recording and not any(peer.name in recorders for peer in taken):
            continue
        yield group, taken


def figure(value, digits):
    return f"{value:,.{digits}f}"


def cell(values, failures, digits):
    if not values:
        return f"✗ {failures} failed" if failures else "–"
    median = figure(statistics.median(values), digits)
    if len(values) > 1:
        low, high = figure(min(values), digits), figure(max(values), digits)
        if low != high:
            median += f" ({low}–{high})"
    return median + (f" ✗{failures}" if failures else "")


def ratio(results, case, metric, peers):
    """Ours against the best peer's median, above 1 where ours is better, and who that is; None without both."""
    ours = results.median(case.name, "tapline-tls" if case.key else "tapline", metric.key)
    theirs = []
    for peer in peers:
        value = results.median(case.name, peer.name, metric.key)
        if peer.name not in not_competitors and not peer.records and value is not None:
            theirs.append((value, peer.name))
    if ours is None or not theirs:
        return None
    best, name = (max if metric.higher else min)(theirs)
    if round(ours, metric.digits) == round(best, metric.digits):
        return 1.0, name
    above, below = (ours, best) if metric.higher else (best, ours)
    if below <= 0:  # nothing measurable, on one side or both
        return (1.0 if above <= 0 else float("inf")), name
    return above / below, name


def table(results, group, peers):
    has_ratio = group.peers is None
    rows = [["", "", *(peer.name for peer in peers), *(["tapline : best peer"] if has_ratio else [])]]
    for case in group.cases:
        title = case.title
        for metric in case.metrics:
            if not any(results.of(case.name, peer.name, metric.key) for peer in peers):
                # A row of failures is shown once, and a metric without figures is not shown.
                if metric is not case.metrics[0] or not any(results.failed(case.name, peer.name) for peer in peers):
                    continue
            row, title = [title, metric.title], ""
            for peer in peers:
                failed = results.failed(case.name, peer.name)
                row.append(cell(results.of(case.name, peer.name, metric.key), failed, metric.digits))
            if has_ratio:
                against = None if metric.optional else ratio(results, case, metric, peers)
                mark = "**" if metric.judged else ""
                row.append(f"{mark}{against[0]:.2f}{mark} ({against[1]})" if against else "–")
            rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    rule = "| " + " | ".join([*("-" * width for width in widths[:2]), *("-" * (width - 1) + ":" for width in widths[2:])]) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def bounds(results):
    """The figures that have a bound of their own, not a peer's: text, and whether it is kept (None: not measured)."""

    def at_most(case, key, bound, text):
        value = results.median(case, "tapline", key)
        return text, value is not None and value <= bound, value is not None

    found = [
        at_most("idle", "cpu", 2, "idle under 2 % of a core"),
        at_most("start", "accepting", 10, "accepting within 10 ms"),
        at_most("start", "anonymous", 3, "3 MB private at start"),
        # Nearly all of it clean pages of the program's own file, which the kernel takes back when it needs them.
        # It was 18 until the program had grown to 20.
        at_most("start", "resident", 24, "24 MB resident at start"),
    ]
    haproxy = [results.median("idle", peer, "memory") for peer in ("haproxy-splice", "haproxy-64k")]
    haproxy = [value for value in haproxy if value is not None]
    if haproxy:
        found.append(at_most("idle", "memory", min(haproxy) / 3, "a third of HAProxy's memory per idle connection"))
    return [(text, kept) for text, kept, measured in found if measured]


def verdict(results, peers):
    """One line."""
    if results.failures:
        return f"Verdict: NOT VALID: runs that failed or carried wrong bytes: {len(results.failures)}; see above."
    against = []
    for case in all_cases:
        for metric in case.metrics:
            value = ratio(results, case, metric, peers)
            if metric.judged and value is not None:
                against.append((value[0], f"{case.name} {metric.title} {value[0]:.2f} of {value[1]}"))
    kept = bounds(results)
    if not against and not kept:
        return "Verdict: none, because Tapline was not measured with another relay."
    behind = [text for value, text in sorted(against) if value < least]
    ahead = sum(1 for value, _ in against if value >= 1)
    parts = []
    if against:
        enough = len(against) - len(behind)
        parts.append(f"{ahead} of {len(against)} rows at or above the best peer, {enough} at or above {least}")
    if behind:
        parts.append("behind in " + ", ".join(behind))
    missed = [text for text, good in kept if not good]
    if missed:
        parts.append("missed: " + ", ".join(missed))
    elif kept:
        parts.append(f"all {len(kept)} bounds kept")
    return ("Verdict: BEHIND: " if behind or missed else "Verdict: good: ") + "; ".join(parts) + "."
