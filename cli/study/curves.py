"""Figures of numbers: against epochs, against the size of the data set, against cost, and by band."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, ScalarFormatter

from neuralpedal.cli.study.drawing import BLUE, COLOURS, GREY, INK, ORANGE, PURPLE, RED, TEAL, svg
from neuralpedal.cli.study.findings import NOT_BAD_ESR, epochs_of
from neuralpedal.cli.study.plan import TARGETS
from neuralpedal.cli.study.rows import Row, chosen, epoch_series, size_series, structure_rows
from neuralpedal.contract.spectral_metrics import BAND_EDGES_KHZ

_MEASURES = (("esr", "ESR"), ("aliasing_mean_db", "mean aliasing, dB"),
             ("hf_soft_error_dbfs", "soft error > 6 kHz, dBFS"))
_STREAM_COLOURS = (ORANGE, PURPLE, TEAL)
_KINDS = (("frame_lstm", BLUE, "o", "frames"), ("lstm", ORANGE, "s", "streaming"))
_ROW_INCHES = 2.9


def epoch_figure(rows: list[Row]) -> str:
    """ESR, aliasing and soft noise against epochs: a row per target, frames and streaming networks."""
    targets = [target for target in _targets(rows) if epoch_series(rows, target)]

    def draw(figure: Any) -> None:
        for target, axes in zip(targets, figure.subplots(len(targets), 3, squeeze=False), strict=True):
            by_id = [chosen(rows, id=name) for name in _ids(chosen(rows, target=target, kind="lstm"))]
            streams = [series for series in by_id if len(series) > 1]
            for (key, title), panel in zip(_MEASURES, axes, strict=True):
                for colour, series in zip(COLOURS, epoch_series(rows, target), strict=False):
                    label = f"{series[0]['structure']}, {series[0]['frames']:,} frames"
                    _line(panel, series, ("epochs", key), colour, label, "o-")
                for colour, series in zip(_STREAM_COLOURS, streams, strict=False):
                    _line(panel, series, ("epochs", key), colour, f"{series[0]['structure']} streaming", "s--")
                _finish(panel, f"{target}: {title}", "epochs", key)
        _legend_below(figure)

    return svg("epochs", (11, 0.4 + _ROW_INCHES * len(targets)), draw)


def size_figure(rows: list[Row]) -> str:
    """The same against the number of frames, for each number of epochs."""
    series = [(target, one) for target in _targets(rows) for one in size_series(rows, target)]

    def draw(figure: Any) -> None:
        for (key, title), panel in zip(_MEASURES, figure.subplots(1, 3), strict=True):
            for colour, (target, points) in zip(COLOURS, series, strict=False):
                label = f"{target}, {points[0]['structure']}, {epochs_of(points[0])}"
                _line(panel, points, ("frames", key), colour, label, "o-")
            _finish(panel, title, "frames", key)
        _legend_below(figure)

    return svg("sizes", (11, 0.4 + _ROW_INCHES), draw)


def cost_figure(rows: list[Row]) -> str:
    """ESR against multiplications per sample, all finished networks."""
    targets = _targets(rows)

    def draw(figure: Any) -> None:
        for target, panel in zip(targets, figure.subplots(1, len(targets), squeeze=False)[0], strict=True):
            for kind, colour, marker, label in _KINDS:
                points = chosen(rows, target=target, kind=kind, is_last=True)
                panel.scatter([row["macs_per_sample"] for row in points], [row["esr"] for row in points], c=colour,
                              marker=marker, label=label, zorder=3)
                for row in _cheapest_of_each(points):
                    panel.annotate(row["structure"], (row["macs_per_sample"], row["esr"]), xytext=(5, 5),
                                   textcoords="offset points", fontsize=8, color=INK)
            panel.set(title=f"{target}: ESR", xlabel="multiplications per sample", xscale="log")
            _logarithmic(panel)
            panel.margins(0.14)
            panel.legend()

    return svg("costs", (11, 3.6), draw)


def band_figure(rows: list[Row]) -> str:
    """ESR per band: structures by frames under one protocol, beside the streaming networks."""
    targets, bands = _targets(rows), [band for band in pairwise(BAND_EDGES_KHZ) if band[0] < 11]

    def draw(figure: Any) -> None:
        for target, panel in zip(targets, figure.subplots(1, len(targets), squeeze=False)[0], strict=True):
            shown = [*structure_rows(rows, target), *chosen(rows, target=target, kind="lstm", is_last=True)]
            width = 0.84 / max(1, len(shown))
            for index, row in enumerate(shown):
                streams = row["kind"] == "lstm"
                shade = 0.35 + 0.65 * (index + 1) / len(shown)
                panel.bar(np.arange(len(bands)) - 0.42 + (index + 0.5) * width,
                          [row[f"esr_{low}_{high}_khz"] or np.nan for low, high in bands], width * 0.92, alpha=shade,
                          color=ORANGE if streams else BLUE, label=row["structure"] + (" streaming" if streams else ""))
            panel.axhline(1.0, color=RED, linewidth=0.8)
            panel.set(title=f"{target}: ESR per band", xticks=range(len(bands)),
                      xticklabels=[f"{low}–{min(high, 11)} kHz" for low, high in bands])
            _logarithmic(panel)
            panel.grid(axis="x", visible=False)
        _legend_below(figure)

    return svg("bands", (11, 3.8), draw)


def _targets(rows: list[Row]) -> list[str]:
    return [target for target in TARGETS if chosen(rows, target=target)]


def _ids(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["id"] for row in rows))


def _line(panel: Any, series: list[Row], axes: tuple[str, str], colour: str, label: str, style: str) -> None:
    across, key = axes
    values = [np.nan if row[key] is None else row[key] for row in series]
    panel.plot([row[across] for row in series], values, style, color=colour, label=label, markersize=4.5, linewidth=1.4)


def _finish(panel: Any, title: str, across: str, key: str) -> None:
    panel.set(title=title, xlabel=across, xscale="log")
    places = sorted({float(x) for line in panel.get_lines() for x in line.get_xdata()})
    panel.set_xticks(places, [f"{place:,.0f}" for place in places], rotation=45 if places and places[-1] > 999 else 0)
    panel.minorticks_off()
    if key == "esr":
        _logarithmic(panel)
        panel.axhline(NOT_BAD_ESR, color=GREY, linewidth=0.8, linestyle=":")
    else:
        panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _legend_below(figure: Any) -> None:
    """One legend for all panels; what several of them show is named once."""
    entries: dict[str, Any] = {}
    for panel in figure.axes:
        handles, labels = panel.get_legend_handles_labels()
        entries = {**dict(zip(labels, handles, strict=True)), **entries}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4)


def _logarithmic(panel: Any) -> None:
    """A logarithmic axis of plain numbers: 0.02, 0.05, 0.1."""
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.minorticks_off()


def _cheapest_of_each(points: list[Row]) -> list[Row]:
    """One row per structure, the best: a name is written once."""
    best: dict[str, Row] = {}
    for row in sorted(points, key=lambda row: row["esr"]):
        best.setdefault(row["structure"], row)
    return list(best.values())
