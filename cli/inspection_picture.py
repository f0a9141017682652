"""One picture of an inspection: when the wet track answers, how that moves over the take, how loud the playing is."""

from pathlib import Path

import numpy as np

from neuralpedal.cli.picture import png_figure
from neuralpedal.train.inspection.latency import LatencyEstimate
from neuralpedal.train.inspection.levels import QUIET_RANGE_DB, Levels
from neuralpedal.train.inspection.report import Inspection

_SHOWN_SAMPLES = 60


def write_inspection_picture(path: Path, inspection: Inspection, title: str) -> None:
    """Write a PNG of an inspection whose tracks could be compared. Raises as :func:`png_figure`."""
    assert inspection.latency and inspection.levels
    with png_figure(path, (12, 3.6), title) as figure:
        response, drift, levels = figure.subplots(1, 3)
        _response(response, inspection.latency)
        _drift(drift, inspection.latency, inspection.sample_rate_hz)
        _levels(levels, inspection.levels)


def _response(axes, latency: LatencyEstimate) -> None:  # type: ignore[no-untyped-def]
    middle = len(latency.response) // 2
    shown = slice(middle - _SHOWN_SAMPLES, middle + _SHOWN_SAMPLES)
    lags = latency.response_begins_at + np.arange(len(latency.response))
    axes.plot(lags[shown], latency.response[shown], linewidth=1.0)
    found = latency.latency_samples
    axes.axvline(found, color="tab:red", linewidth=1.0, label=f"{found:.2f} samples")
    axes.set(title="what wet shares with dry", xlabel="lag, samples")
    axes.legend(fontsize="small")


def _drift(axes, latency: LatencyEstimate, rate_hz: int) -> None:  # type: ignore[no-untyped-def]
    found = latency.correlations
    peaks = found.lags[np.argmax(np.abs(found.values), axis=1)]
    times = found.centres / rate_hz
    axes.plot(times, peaks, "o", markersize=3, label="peak of each window")
    axes.plot(times, latency.line.lags(found.centres), color="tab:red", linewidth=1.0, label="line")
    low, high = np.percentile(latency.line.lags(found.centres), [0, 100])
    axes.set(title="over the take", xlabel="s", ylabel="lag, samples", ylim=(low - 30, high + 30))
    axes.legend(fontsize="small")


def _levels(axes, levels: Levels) -> None:  # type: ignore[no-untyped-def]
    axes.hist(levels.frame_dbfs, bins=np.arange(-100, 3, 2))
    for below in (0.0, *QUIET_RANGE_DB):
        axes.axvline(levels.top_dbfs - below, color="tab:red", linewidth=1.0)
    axes.set(title="levels of the dry track", xlabel="dBFS rms, 50 ms")
