"""The report of a soak: a table, a plot, and a verdict of one line."""

import datetime
import pathlib

import machine
from plot import Panel, draw

MIB = 1 << 20


def write(out, options, rows, sampler, isolated):
    """Writes report.md and soak.svg; returns the verdict."""
    samples = sampler.samples
    facts = machine.describe()
    commit = machine.commit(pathlib.Path(__file__).resolve().parent)
    end = max((sample["time"] for sample in samples), default=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    where = f"{facts['processor']}, {facts['cores']} cores, Linux {facts['kernel']}"
    title = "Soak of Tapline" + (", short" if options.short else "")
    subtitle = f"{now:%Y-%m-%d %H:%M} UTC, commit {commit}, {where}"

    def series(key, scale=1.0):
        return [(sample["time"], sample[key] * scale) for sample in samples]

    panels = [
        Panel("Descriptors and connections", "count", [
            ("sockets", series("sockets")), ("pipe ends", series("pipes")), ("files", series("files")),
            ("others", series("others")), ("open connections", series("connections"))]),
        Panel("Memory", "MiB", [
            ("private", series("private", 1 / MIB)), ("resident", series("resident", 1 / MIB))]),
        Panel("Threads and recordings", "count", [
            ("threads", series("threads")), ("relays recorded", series("recordings"))]),
        Panel("Processor", "% of a core", [("CPU", series("cpu"))], least=10),
    ]
    (out / "soak.svg").write_text(draw(title, subtitle, panels, sampler.marks, end))
    bad = [row for row in rows if not row.is_good]
    minutes = end / 60
    verdict = (
        f"Verdict: good: all {len(rows)} bounds kept in {minutes:.1f} minutes (seed {options.seed})." if not bad else
        f"Verdict: {len(bad)} of {len(rows)} bounds NOT KEPT: "
        + "; ".join(f"{row.phase}: {row.what}: {row.value}" for row in bad[:5]) + f" (seed {options.seed}).")
    lines = [
        f"# {title}", "", f"{subtitle}. Seed {options.seed}, {minutes:.1f} minutes, "
        + ("in a network namespace of its own." if isolated else "in the system's own network, as an ordinary user."),
        "", f"**{verdict}**", "", "![What the process held over time](soak.svg)", "",
        "| phase | what | measured | must be | |", "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(f"| {row.phase} | {row.what} | {row.value} | {row.bound} | {'✓' if row.is_good else '✗'} |")
    keys = ("private", "resident", "threads", "cpu")
    most = {key: max((sample[key] for sample in samples), default=0) for key in keys}
    lines += [
        "", f"At most: {most['private'] / MIB:.1f} MiB private, {most['resident'] / MIB:.1f} MiB resident, "
        f"{most['threads']} threads, {most['cpu']:.0f} % of a core. {len(samples)} samples.",
    ]
    if sampler.trouble:
        lines += ["", f"Samples are missing: {sampler.trouble}"]
    (out / "report.md").write_text("\n".join(lines) + "\n")
    return verdict
