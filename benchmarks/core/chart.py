"""The chart of the results: a group of bars for each workload, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.core.tables import Measured, columns
from benchmarks.report import number

GREY = "#808890"  # legible on light and on dark
COLOURS = ("#2f8fd8", "#6fb7ea", "#e0702f", "#c9973a", "#a45fc4", "#d2568f", "#5f9f5f", "#8a939c", "#b5bcc4")
STYLE: dict[str, str | int] = dict.fromkeys(
    ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
)
STYLE |= {"svg.fonttype": "none", "svg.hashsalt": "chatcompat", "font.size": 8, "font.family": "sans-serif"}


def draw(results: Sequence[Measured], caption: str, path: Path) -> None:
    """Draw requests and replies on the left, streams on the right."""
    names = columns(results)
    colours = dict(zip(names, COLOURS, strict=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6.5), layout="constrained")
        for axes, streams in zip(figure.subplots(1, 2), (False, True), strict=True):
            groups, top = {}, 0.0
            for one in [one for one in results if one.streams == streams and not one.workload.turns]:
                shown = [name for name in names if one.medians.get(name, 0) > 0]
                places = [top + place for place in range(len(shown))]
                values = [one.medians[name] for name in shown]
                bars = axes.barh(places, values, height=0.9, color=[colours[name] for name in shown])
                axes.bar_label(bars, [number(value) for value in values], padding=3, fontsize=7)
                groups[one.workload.name] = top + (len(shown) - 1) / 2
                top += len(shown) + 1.5
            axes.set(xscale="log", title="µs per stream event" if streams else "µs per request or reply")
            axes.set_yticks(list(groups.values()), list(groups))
            axes.tick_params(axis="y", length=0)
            axes.invert_yaxis()
            axes.margins(x=0.15, y=0.01)
            axes.spines[["top", "right", "left"]].set_visible(False)
        marks = [mpl.patches.Patch(color=colours[name], label=name) for name in names]
        figure.legend(handles=marks, loc="outside upper center", ncols=len(names), frameon=False)
        figure.supxlabel(caption, fontsize=7)
        figure.savefig(path, transparent=True, metadata={"Date": None})
