"""Pictures of a report: where the error lies, and what it looks like; an SVG per panel, so that a phone stacks them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.mlab import specgram

from neuralpedal.cli.report.audio import ReportAudio, Signal
from neuralpedal.cli.study.drawing import COLOURS, GREY, RED, svg
from neuralpedal.contract.esr_profiles import Row, esr_over_level, esr_over_time
from neuralpedal.contract.spectral_metrics import BAND_EDGES_KHZ, band_esr

SPECTROGRAM_SECONDS = 3.0
DARKEST_DB, BRIGHTEST_DB = -120.0, -35.0
_QUIETEST_DBFS = -42.0
_SMALLEST_ESR = 1e-8
_PANEL_INCHES = (4.6, 2.7)
_FLOAT_LABEL = "float model / pedal"

TERMS = {"weights": "weights", "input_code": "input code", "hidden_state": "hidden state",
         "gate_saturation": "gate saturation", "cell_format": "cell format", "output_code": "output code",
         "together": "together", "measured": "measured"}
"""Parts of an error budget, by their key in report.json."""


def curve_figures(audio: ReportAudio) -> dict[str, str]:
    """ESR over time, over input level, and per band, by title.

    Schemes are held against the float model, the float model against the pedal.
    """
    pairs = {} if audio.wet is None else {_FLOAT_LABEL: (audio.wet, audio.float_wet)}
    pairs |= {name: (audio.float_wet, track) for name, track in audio.schemes.items()}
    over_time = {label: esr_over_time(*pair, audio.sample_rate_hz) for label, pair in pairs.items()}
    over_level = {label: [row for row in esr_over_level(audio.dry, *pair, audio.sample_rate_hz)
                          if (row["from_dbfs"] or 0.0) >= _QUIETEST_DBFS] for label, pair in pairs.items()}
    bands = {label: band_esr(*pair, audio.sample_rate_hz) for label, pair in pairs.items()}
    return {"ESR over time": _lines("time", over_time, "start_seconds", "s"),
            "ESR by input level": _lines("level", over_level, "from_dbfs", "dBFS of the guitar, 6 dB from here on",
                                         range(-42, 0, 6)),
            "ESR per band": _bars(bands)}


def spectrogram_figures(audio: ReportAudio) -> dict[str, str]:
    """A panel for wet, float, each scheme and each error, by title; all in the same colours."""
    shown = audio.loudest(SPECTROGRAM_SECONDS)
    panels = {"float model": shown.float_wet}
    if shown.wet is not None:
        panels = {"wet (pedal)": shown.wet, **panels, "error of the float model": shown.float_wet - shown.wet}
    for name, track in shown.schemes.items():
        panels |= {name: track, f"error of {name}": track - shown.float_wet}
    return {title: _spectrogram(title, track, audio.sample_rate_hz) for title, track in panels.items()}


def scale_figure() -> str:
    """The colours of all spectrograms, as a bar."""
    def draw(figure: Any) -> None:
        panel = figure.subplots()
        panel.imshow(np.linspace(0.0, 1.0, 256)[None], aspect="auto", cmap="magma",
                     extent=(DARKEST_DB, BRIGHTEST_DB, 0, 1))
        panel.set(yticks=[], xlabel="dBFS")
        panel.grid(visible=False)

    return svg("spectrogram-scale", (_PANEL_INCHES[0], 0.65), draw)


def budget_figures(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Bars of ``error_budget`` for each scheme that has one."""
    return {name: _budget(name, row["error_budget"]) for name, row in rows.items() if row.get("error_budget")}


def _colour(label: str, index: int) -> str:
    """Grey for the float model; schemes have the colours that they have in all pictures, counted from 0."""
    return GREY if label == _FLOAT_LABEL else COLOURS[index % len(COLOURS)]


def _numbered(series: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    """Series with their number among the schemes; the float model, which comes first, has −1."""
    return ((index - (_FLOAT_LABEL in series), label, rows) for index, (label, rows) in enumerate(series.items()))


def _lines(name: str, series: dict[str, list[Row]], key: str, unit: str,
           ticks: Sequence[int] | None = None) -> str:
    def draw(figure: Any) -> None:
        panel = figure.subplots()
        if ticks is not None:
            panel.set_xticks(ticks)
        for index, label, rows in _numbered(series):
            panel.plot([row[key] for row in rows], [_drawn(row["esr"]) for row in rows], label=label, linewidth=1.3,
                       color=_colour(label, index), linestyle="-" if index >= 0 else ":",
                       marker="." if len(rows) < 20 else "")
        _finish(panel, unit)
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    return svg(f"report-{name}", _PANEL_INCHES, draw)


def _bars(bands: dict[str, dict[str, float | None]]) -> str:
    def draw(figure: Any) -> None:
        panel, width = figure.subplots(), 0.8 / len(bands)
        for place, (index, label, ratios) in enumerate(_numbered(bands)):
            places = np.arange(len(ratios)) + (place - (len(bands) - 1) / 2) * width
            panel.bar(places, [_drawn(ratio) for ratio in ratios.values()], width * 0.9, label=label,
                      color=_colour(label, index))
        panel.set_xticks(range(len(BAND_EDGES_KHZ) - 1),
                         [f"{low}–{high}" for low, high in pairwise(BAND_EDGES_KHZ)])
        _finish(panel, "kHz")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    return svg("report-bands", _PANEL_INCHES, draw)


def _drawn(ratio: float | None) -> float:
    """On a logarithmic axis nothing is smaller than its lower end."""
    return float("nan") if ratio is None else max(ratio, _SMALLEST_ESR)


def _finish(panel: Any, unit: str) -> None:
    panel.set_yscale("log")
    panel.set_ylim(bottom=_SMALLEST_ESR / 2)
    panel.set(ylabel="ESR", xlabel=unit)


def _spectrogram(title: str, track: Signal, sample_rate_hz: int) -> str:
    def draw(figure: Any) -> None:
        panel = figure.subplots()
        spectrum: Any = specgram(track.astype(np.float64), NFFT=1024, noverlap=512, Fs=sample_rate_hz,
                                 mode="magnitude")
        magnitude, frequency_hz, time_s = spectrum[:3]
        decibels = 20.0 * np.log10(np.maximum(magnitude, 10.0 ** (DARKEST_DB / 20.0)))
        panel.grid(visible=False)
        panel.imshow(decibels, origin="lower", aspect="auto", vmin=DARKEST_DB, vmax=BRIGHTEST_DB, cmap="magma",
                     extent=(time_s[0], time_s[-1], 0, frequency_hz[-1] / 1e3), interpolation="nearest")
        panel.set(xlabel="s", ylabel="kHz")

    return svg(f"report-spectrogram-{title}", (4.6, 2.3), draw)


def _budget(name: str, budget: dict[str, Any]) -> str:
    terms = {**budget["terms"], "together": budget["together"], "measured": budget["measured"]}
    shown = {TERMS.get(key, key): value for key, value in terms.items() if value is not None}

    def draw(figure: Any) -> None:
        panel = figure.subplots()
        values = [max(value, _SMALLEST_ESR) - _SMALLEST_ESR for value in shown.values()]
        colours = [GREY if key in ("together", "measured") else RED for key in shown]
        bars = panel.barh(list(shown), values, color=colours, left=_SMALLEST_ESR)
        panel.bar_label(bars, [f" {value:.1e}" if value else " 0" for value in shown.values()], fontsize=8)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.set_xlim(_SMALLEST_ESR, max(*values, 1e-6) * 100)
        panel.set_xlabel("ESR against the float model")
        panel.grid(visible=False, axis="y")

    return svg(f"report-budget-{name}", _PANEL_INCHES, draw)
