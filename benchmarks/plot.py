"""A bar chart as SVG: one bar to the median of each series, a dot for each round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10

WIDTH = 860
LEFT = 270
RIGHT = 80
ROW = 26
TOP = 48
LEGEND = {
    "ours": "Keyhouse",
    "sees": "refuses a revoked token in every worker",
    "blind": "another worker lets it in",
    "none": "no guard",
}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .sees { fill: #7aa7d9 }
  .blind { fill: #d9a77a }
  .none { fill: #a0a7af }
  .ours { fill: #2f8f4e }
  .dot { fill: #1f2328; fill-opacity: .55 }
  .grid { stroke: #1f2328; stroke-opacity: .15 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dot { fill: #e6edf3 } .grid { stroke: #e6edf3 }
  }
"""


def step(largest: float) -> float:
    """A round distance between the lines of the grid, so that there are three to eight of them."""
    power = 10 ** floor(log10(largest))
    return float(power if largest / power >= 3 else power / 2 if largest / power >= 1.5 else power / 5)


def bars(title: str, series: Sequence[tuple[str, Sequence[float]]], kinds: Mapping[str, str]) -> str:
    """Longest first, coloured by the kind of each name; the kinds that occur are explained below."""
    ordered = sorted(series, key=lambda one: -statistics.median(one[1]))
    largest = max(max(values) for _, values in ordered)
    height = TOP + ROW * len(ordered) + 56
    scale = (WIDTH - LEFT - RIGHT) / largest
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
    ]
    distance = step(largest)
    for line in range(floor(largest / distance) + 1):
        x = LEFT + line * distance * scale
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 50}"/>')
        out.append(f'<text x="{x:.1f}" y="{height - 34}" text-anchor="middle">{line * distance:,.0f}</text>')
    for number, (name, values) in enumerate(ordered):
        y = TOP + number * ROW
        median = statistics.median(values)
        kind = kinds.get(name, "none")
        out.append(f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        out.append(
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{max(1.0, median * scale):.1f}" height="{ROW - 8}"/>'
        )
        out.extend(
            f'<circle class="dot" cx="{LEFT + value * scale:.1f}" cy="{y + (ROW - 8) / 2}" r="2"/>' for value in values
        )
        x = LEFT + max(*values, median) * scale + 8
        out.append(f'<text x="{x:.1f}" y="{y + 13}">{median:,.0f}</text>')
    x = 12.0
    for kind in (kind for kind in LEGEND if kind in {kinds.get(name, "none") for name, _ in ordered}):
        out.append(f'<rect class="{kind}" x="{x:.0f}" y="{height - 18}" width="12" height="12"/>')
        out.append(f'<text x="{x + 18:.0f}" y="{height - 8}">{LEGEND[kind]}</text>')
        x += 40 + 6.6 * len(LEGEND[kind])
    return "\n".join([*out, "</svg>", ""])
