"""A bar plot as plain SVG: a group of bars for each work, on a logarithmic scale, legible on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from core_report import columns, number

JSON = dict[str, Any]

TEXT = "#808890"
COLOURS = ("#2f8fd8", "#6fb7ea", "#e0702f", "#c9973a", "#a45fc4", "#d2568f", "#5f9f5f", "#8a939c", "#b5bcc4")
BAR, GAP, HEAD, LABELS, WIDTH = 11, 20, 62, 150, 400


def plot(works: JSON, caption: str) -> str:
    """The plot: requests and replies on the left, streams on the right."""
    names = columns(works)
    panels = [
        ("µs per request or reply", {title: work for title, work in works.items() if work["unit"] != "event"}),
        ("µs per stream event", {title: work for title, work in works.items() if work["unit"] == "event"}),
    ]
    drawn = [
        _panel(title, some, names, left=index * (LABELS + WIDTH + 60)) for index, (title, some) in enumerate(panels)
    ]
    width = 2 * (LABELS + WIDTH + 60)
    height = max(bottom for _, bottom in drawn) + 26
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{TEXT}" role="img">',
        f"<title>{escape(caption)}</title>",
        *_legend(names),
    ]
    foot = f'<text x="8" y="{height - 8}">{escape(caption)}</text>'
    return "\n".join([*head, *(line for lines, _ in drawn for line in lines), foot, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    """A coloured square and a name for each contender."""
    lines, left = [], 8.0
    for index, name in enumerate(names):
        lines.append(f'<rect x="{left}" y="8" width="10" height="10" rx="2" fill="{_colour(index)}"/>')
        lines.append(f'<text x="{left + 14}" y="17">{escape(name)}</text>')
        left += 30 + 6.4 * len(name)
    return lines


def _panel(title: str, works: JSON, names: Sequence[str], *, left: float) -> tuple[list[str], float]:
    """One half of the plot, and where it ends."""
    values = [result["us"] for work in works.values() for result in work["results"].values() if result["us"] > 0]
    low = math.floor(math.log10(min(values))) if values else 0
    high = max(low + 1, math.ceil(math.log10(max(values)))) if values else 1
    start = left + LABELS

    def place(value: float) -> float:
        """Where a value is on the scale; what is below it stands at its beginning."""
        return start + WIDTH * (math.log10(max(value, 10**low)) - low) / (high - low)

    bars, top = [], float(HEAD)
    for name, work in works.items():
        some = [(index, work["results"][one]) for index, one in enumerate(names) if one in work["results"]]
        middle = top + len(some) * BAR / 2 + 4
        bars.append(f'<text x="{start - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        for index, result in some:
            bars += _bar(start, top, place(result["us"]), _colour(index), number(result["us"]))
            top += BAR
        top += GAP
    lines = [f'<text x="{start}" y="{HEAD - 24}" font-weight="600">{escape(title)}</text>']
    for power in range(low, high + 1):
        at = place(10**power)
        ends = f'x1="{at:.1f}" y1="{HEAD - 6}" x2="{at:.1f}" y2="{top - GAP + 4}"'
        lines.append(f'<line {ends} stroke="{TEXT}" stroke-opacity="0.3"/>')
        lines.append(f'<text x="{at:.1f}" y="{HEAD - 10}" text-anchor="middle">{10.0**power:,g}</text>')
    return lines + bars, top


def _bar(start: float, top: float, end: float, colour: str, label: str) -> list[str]:
    """One bar with its value behind it."""
    length = max(1.0, end - start)
    return [
        f'<rect x="{start}" y="{top}" width="{length:.1f}" height="{BAR - 1}" rx="1.5" fill="{colour}"/>',
        f'<text x="{start + length + 4:.1f}" y="{top + BAR - 2}" font-size="9.5">{label}</text>',
    ]


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
