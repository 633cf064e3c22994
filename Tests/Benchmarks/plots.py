"""The figures as bars, in SVG that needs nothing else and follows the reader's light or dark page."""

import dataclasses
import html
import math

COLUMN, GAP, MARGIN = 460, 24, 16
LABEL, VALUE = 178, 72  # left and right of the bars
HEAD, BAR, STEP, FOOT = 40, 13, 21, 14

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.case { font-size: 13px; font-weight: 600; }
.unit, .note { fill: #57606a; }
.ours text { font-weight: 600; }
.ours rect { fill: #0a7d5a; } .theirs rect { fill: #8c99ab; } .none rect { fill: #d5dae1; }
.spread { stroke: #24292f; stroke-width: 1.2; }
.page { fill: #ffffff; } .gap { stroke: #ffffff; stroke-width: 3; } .axis { stroke: #d0d7de; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .unit, .note { fill: #9aa4b0; }
  .ours rect { fill: #2fb389; } .theirs rect { fill: #66758a; } .none rect { fill: #3a434e; }
  .spread { stroke: #e6edf3; } .page { fill: #0d1117; } .gap { stroke: #0d1117; } .axis { stroke: #30363d; }
}
"""


@dataclasses.dataclass(frozen=True)
class Bar:
    label: str
    kind: str  # ours, theirs, none
    low: float
    median: float
    high: float


@dataclasses.dataclass(frozen=True)
class Panel:
    case: str
    unit: str
    higher: bool  # is better
    digits: int
    bars: list


def _text(x, y, text, classes="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _nice(value):
    """The next round number above: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


def _scale(bars):
    """What the whole width stands for. A bar four times as long as the next would leave nothing to see of the others: it
    is cut, with a gap in it."""
    highs = sorted(bar.high for bar in bars)
    if len(highs) > 2 and min(bar.median for bar in bars if bar.high == highs[-1]) > 4 * highs[-2] > 0:
        return _nice(highs[-2] * 1.3), True
    return _nice(highs[-1]), False


def _height(panel):
    return HEAD + STEP * len(panel.bars) + FOOT


def _panel(panel, left, top):
    most, is_cut = _scale(panel.bars)
    begin, width = left + LABEL, COLUMN - LABEL - VALUE
    better = "more is better" if panel.higher else "less is better"
    lines = [
        _text(left, top + 14, panel.case, "case"),
        _text(left, top + 31, f"{panel.unit}, {better}", "unit"),
        f'<line class="axis" x1="{begin}" y1="{top + HEAD - 2}" x2="{begin}" y2="{top + _height(panel) - FOOT}"/>',
    ]
    for index, bar in enumerate(panel.bars):
        y = top + HEAD + STEP * index
        middle = y + BAR / 2
        length = min(width * bar.median / most, width)
        lines.append(f'<g class="{bar.kind}">')
        lines.append(_text(begin - 8, middle + 4, bar.label, anchor="end"))
        lines.append(f'<rect x="{begin}" y="{y}" width="{max(length, 0.5):.1f}" height="{BAR}" rx="1.5"/>')
        end = length
        if is_cut and bar.median > most:
            x = begin + width - 22
            lines.append(f'<path class="gap" d="M{x:.1f} {y + BAR + 1}L{x + 6:.1f} {y - 1}"/>')
        elif bar.high > bar.low:
            low, end = width * bar.low / most, max(length, width * bar.high / most)
            x1, x2 = begin + low, begin + width * bar.high / most
            lines.append(
                f'<path class="spread" fill="none" d="M{x1:.1f} {middle - 3:.1f}v6M{x1:.1f} {middle:.1f}H{x2:.1f}'
                f'M{x2:.1f} {middle - 3:.1f}v6"/>'
            )
        lines.append(_text(begin + end + 7, middle + 4, f"{bar.median:,.{panel.digits}f}"))
        lines.append("</g>")
    return lines


def draw(title, rows, note):
    """One picture: each row is a list of panels that stand side by side."""
    columns = max(len(row) for row in rows)
    width = 2 * MARGIN + columns * COLUMN + (columns - 1) * GAP
    top, lines = MARGIN + 34, [_text(MARGIN, MARGIN + 16, title, "title")]
    for row in rows:
        for column, panel in enumerate(row):
            lines += _panel(panel, MARGIN + column * (COLUMN + GAP), top)
        top += max(_height(panel) for panel in row) + 10
    lines.append(_text(MARGIN, top + 8, note, "note"))
    height = top + 8 + MARGIN
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{html.escape(title)}">\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{width}" height="{height}"/>\n{body}\n</svg>\n'
    )
