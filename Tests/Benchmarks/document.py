"""What is kept of a run: its figures, its tables, its pictures, and the page of the documentation that shows them."""

import json
import pathlib

import plots
import report

PAGE = pathlib.Path("docs", "reference", "measurements.md")
BEGIN, END = "<!-- measured: Tests/Benchmarks/run --document writes from here -->", "<!-- to here -->"


class Mismatch(Exception):
    """Figures that do not belong together: the text says why."""


def save(path, about, results, verdict):
    document = {"machine": about, "values": results.values, "failures": results.failures, "verdict": verdict}
    pathlib.Path(path).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def load(paths):
    """The description and the figures of one run, or of several of the same program on the same machine, as if one."""
    about, results = None, report.Results()
    for path in paths:
        document = json.loads(pathlib.Path(path).read_text())
        other = document["machine"]
        if about is None:
            about = dict(other)
        else:
            for key in ("commit", "processor", "cores", "kernel", "seconds", "pin", "namespace", "congestion_control"):
                if other[key] != about[key]:
                    raise Mismatch(f"{path}: {key} is {other[key]}, and {about[key]} in {paths[0]}")
            about["noisy_runs"] += other["noisy_runs"]
            about["others_median_cores"] = max(about["others_median_cores"], other["others_median_cores"])
            about["versions"] = list(dict.fromkeys(about["versions"] + other["versions"]))
        results.add_all(report.Results(document["values"], document["failures"]))
    if len(paths) > 1:
        # A case may be in one of the runs or in several.
        counts = results.rounds()
        least, most = min(counts, default=0), max(counts, default=0)
        about["rounds"] = least if least == most else f"{least} to {most}"
    return about, results


def tables(results, peers):
    return "\n\n".join(
        f"### {group.title}\n\n{report.table(results, group, taken)}" for group, taken in report.told(results, peers)
    )


def pictures(results, peers, about):
    """SVG by name."""
    note = f"Medians, least to most of {about['rounds']} rounds. {about['processor']}, Linux {about['kernel']}."
    found = {}
    for group, taken in report.told(results, peers):
        metrics = {(case.name, metric.key): (case, metric) for case in group.cases for metric in case.metrics}
        rows = []
        for row in group.pictured:
            panels = [panel for key in row if (panel := _panel(results, *metrics[key], taken))]
            if panels:
                rows.append(panels)
        if rows:
            found[f"measured-{group.key}.svg"] = plots.draw(group.title, rows, note)
    return found


def _panel(results, case, metric, peers):
    bars = []
    for peer in peers:
        values = results.of(case.name, peer.name, metric.key)
        if values:
            kind = "none" if peer.name == "direct" else "ours" if peer.name.startswith("tapline") else "theirs"
            median = results.median(case.name, peer.name, metric.key)
            bars.append(plots.Bar(peer.title, kind, min(values), median, max(values)))
    if not bars:
        return None
    title = case.title[0].upper() + case.title[1:]
    return plots.Panel(title, metric.title, metric.higher, metric.digits, bars)


def write_page(root, head, results, peers, about, verdict):
    """Puts tables and pictures where the documentation shows them; returns what was written."""
    page = root / PAGE
    text = page.read_text()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    parts = [head, verdict]
    drawn = pictures(results, peers, about)
    for group, taken in report.told(results, peers):
        name = f"measured-{group.key}.svg"
        parts.append(f"### {group.title}")
        if name in drawn:
            parts.append(f"![{group.title}: bars of the table below]({name})")
        parts.append(report.table(results, group, taken))
    for picture in page.parent.glob("measured-*.svg"):
        picture.unlink()  # of another run, should this one lack the group
    page.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)
    return [page, *write_pictures(page.parent, drawn)]


def write_pictures(folder, drawn):
    for name, svg in drawn.items():
        pathlib.Path(folder, name).write_text(svg)
    return [pathlib.Path(folder, name) for name in drawn]
