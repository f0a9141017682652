"""An evaluation as one picture: ESR over time, over level and per band, and the spectrum of one aliasing probe."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.cli.evaluation import Evaluation
from neuralpedal.cli.picture import BLUE, RED, png_figure
from neuralpedal.contract.esr_profiles import TIME_STEP_SECONDS
from neuralpedal.contract.spectral_metrics import BAND_EDGES_KHZ

_SHOWN_PROBE = (1250, 0)
_SMALLEST_ESR = 1e-4  # where bars begin, as they do in the terminal


def write_evaluation_png(evaluation: Evaluation, title: str, path: Path) -> None:
    """Four panels as PNG.

    Raises:
        DeviceError: Matplotlib is not installed. OutputError: the file cannot be written.
    """
    with png_figure(path, (12, 7.5), title) as figure:
        (over_time, over_level), (bands, aliasing) = figure.subplots(2, 2)
        _draw_over_time(over_time, evaluation)
        _draw_over_level(over_level, evaluation)
        _draw_bands(bands, evaluation)
        _draw_aliasing(aliasing, evaluation)


def _draw_over_time(axes: Any, evaluation: Evaluation) -> None:
    # Not a line from middle to middle: each figure holds for its whole half second.
    edges_seconds = TIME_STEP_SECONDS * np.arange(len(evaluation.over_time) + 1)
    axes.stairs(_drawable([row["esr"] for row in evaluation.over_time]), edges_seconds, baseline=None, color=BLUE)
    axes.axhline(evaluation.time_domain["esr"], color=RED, label=f"whole take: {evaluation.time_domain['esr']:.4g}")
    axes.set(title="ESR over time", xlabel="seconds", yscale="log")
    axes.legend()


def _draw_over_level(axes: Any, evaluation: Evaluation) -> None:
    rows = evaluation.over_level
    _draw_bars(axes, [f"{row['from_dbfs']:.0f}\n{row['to_dbfs']:.0f}" for row in rows], [row["esr"] for row in rows])
    axes.set(title="ESR over input level", xlabel="dry rms, dBFS")


def _draw_bands(axes: Any, evaluation: Evaluation) -> None:
    labels = [f"{low}–{high}" for low, high in pairwise(BAND_EDGES_KHZ)]
    _draw_bars(axes, labels, [value for name, value in evaluation.spectral.items() if name.startswith("esr_")])
    axes.set(title="ESR per band", xlabel="kHz")


def _draw_bars(axes: Any, labels: list[str], values: list[float | None]) -> None:
    axes.bar(labels, _drawable(values), color=BLUE)
    if any(values):
        axes.set_yscale("log")
        axes.set_ylim(bottom=min(_SMALLEST_ESR, *(value / 2 for value in values if value)))


def _draw_aliasing(axes: Any, evaluation: Evaluation) -> None:
    probes = evaluation.probes.aliasing if evaluation.probes else []
    shown = next((probe for probe in probes if (probe.frequency_hz, probe.level_dbfs) == _SHOWN_PROBE), None)
    axes.set(title="1250 Hz at 0 dBFS", xlabel="kHz", ylabel="dBFS", ylim=(-150, 10))
    if shown is None:
        axes.text(0.5, 0.5, "not probed", ha="center", va="center", transform=axes.transAxes)
        return
    khz = shown.bins_hz / 1000
    dirt = np.flatnonzero(~shown.is_harmonic)[1:]  # DC is neither
    axes.plot(khz[dirt], shown.spectrum_dbfs[dirt], color=RED, linewidth=0.6, label="aliases and noise")
    axes.vlines(khz[shown.is_harmonic], -150, np.maximum(shown.spectrum_dbfs[shown.is_harmonic], -150), color=BLUE,
                label="harmonics")
    axes.legend(loc="upper right")


def _drawable(values: list[float | None]) -> list[float]:
    """A gap where there is no figure, or a 0, which has no place on a logarithmic axis."""
    return [value or float("nan") for value in values]
