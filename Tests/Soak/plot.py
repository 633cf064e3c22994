"""A plot as SVG: panels over one time axis, each with a y axis of its own, a legend and its unit."""

import html
import math

# Distinguishable with colour blindness (Okabe and Ito), and on paper by the dashes.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"]
DASHES = ["", "6 3", "2 2", "8 3 2 3", "1 3"]
WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, BOTTOM = 1080, 84, 24, 118, 168, 40, 56


class Panel:
    """One y axis and its series, each a name and a list of (seconds, value)."""

    def __init__(self, title, unit, series, least=0):
        self.title, self.unit, self.series, self.least = title, unit, series, least


def steps(most, count=5):
    """Round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0, 1]
    raw = most / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return [step * number for number in range(int(math.ceil(most / step - 1e-9)) + 1)]


def number(value):
    if value >= 10_000 and value % 1000 == 0:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def thinned(points, most=1500):
    """The least and the greatest of every stretch, so that no peak is lost."""
    if len(points) <= most:
        return points
    size = math.ceil(len(points) / (most / 2))
    kept = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        kept += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return kept


def text(x, y, words, size=12, anchor="start", weight="normal", colour="#222", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{colour}"{more}>{html.escape(words)}</text>')


def draw(title, subtitle, panels, marks, end):
    """The SVG's text. `marks` are the phases: their beginnings in seconds and their names; `end` is the last moment."""
    height = TOP + len(panels) * (PANEL + GAP) + BOTTOM - GAP
    inner = WIDTH - LEFT - RIGHT
    bottom = height - BOTTOM

    def x(seconds):
        return LEFT + seconds / end * inner

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="DejaVu Sans, Liberation Sans, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        text(LEFT, 28, title, 18, weight="bold"), text(LEFT, 48, subtitle, 12, colour="#555"),
    ]
    # Phases: bands behind everything, their names above.
    edges = [at for at, _ in marks] + [end]
    last, names = [-1e9, -1e9], []
    for place, (at, name) in enumerate(marks):
        left, right = x(at), x(edges[place + 1])
        if place % 2 == 0:
            parts.append(f'<rect x="{left:.1f}" y="64" width="{right - left:.1f}" height="{bottom - 64}" '
                         'fill="#f3f4f6"/>')
        # In two rows, where the names would run into each other, and none past the edge.
        left = min(left, WIDTH - RIGHT - 6.6 * len(name))
        row = 0 if left > last[0] + 4 or left - last[0] >= left - last[1] else 1
        last[row] = left + 6.6 * len(name)
        names.append(text(left + 2, 90 - 14 * row, name, 11, colour="#333"))
    parts += names
    for place, panel in enumerate(panels):
        parts += draw_panel(panel, TOP + place * (PANEL + GAP), x, inner)
    for seconds in steps(end, 10):
        if seconds <= end:
            parts.append(f'<line x1="{x(seconds):.1f}" x2="{x(seconds):.1f}" y1="{bottom}" y2="{bottom + 5}" '
                         'stroke="#222"/>')
            parts.append(text(x(seconds), bottom + 19, number(seconds), 11, "middle"))
    parts.append(text(LEFT + inner / 2, bottom + 40, "seconds since the start", 12, "middle"))
    return "\n".join([*parts, "</svg>\n"])


def draw_panel(panel, top, x, inner):
    most = max((value for _, points in panel.series for _, value in points), default=1)
    ticks = steps(max(most, panel.least))

    def y(value):
        return top + PANEL - value / ticks[-1] * PANEL

    parts = []
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + inner}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#d0d4da" '
                     f'stroke-width="{1 if tick else 1.5}"/>')
        parts.append(text(LEFT - 8, y(tick) + 4, number(tick), 11, "end"))
    parts.append(f'<line x1="{LEFT}" x2="{LEFT}" y1="{top}" y2="{top + PANEL}" stroke="#222"/>')
    parts.append(text(20, top + PANEL / 2, panel.unit, 12, "middle",
                      more=f' transform="rotate(-90 20 {top + PANEL / 2})"'))
    for place, (_, points) in enumerate(panel.series):
        line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in thinned(points))
        dash = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[place]}" stroke-width="1.6"{dash}/>')
    # The legend: from the right, so that it does not move with the lengths of the names before.
    parts.append(text(LEFT, top - 8, panel.title, 13, weight="bold"))
    right = LEFT + inner
    for place, (name, _) in reversed(list(enumerate(panel.series))):
        left = right - 7.2 * len(name) - 4
        dash = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
        parts.append(text(left, top - 8, name, 12))
        parts.append(f'<line x1="{left - 30}" x2="{left - 6}" y1="{top - 12}" y2="{top - 12}" '
                     f'stroke="{COLOURS[place]}" stroke-width="2.4"{dash}/>')
        right = left - 46
    return parts
