"""Figures of sound: the target beside what networks made of it, as waves, spectrograms and the spectrum of a sine."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.mlab import specgram
from numpy.typing import NDArray

from neuralpedal.cli.study.drawing import BLUE, COLOURS, INK, RED, svg
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ
from neuralpedal.contract.probes import AliasingProbe

Track = NDArray[np.float32]

_WAVE_MS = 10.0
_MOMENTS = {"loudest": 1.0, "soft": 0.1}
"""Rms of the shown moments against the loudest."""
_SPECTROGRAM_SECONDS = 2.0
_DARKEST_DB, _BRIGHTEST_DB = -120.0, -35.0
_SHOWN_DBFS = (-130, 10)


@dataclass(frozen=True)
class Excerpt:
    """One test segment.

    Attributes:
        target: (L,), what it should sound like. models: by the label under which they are shown.
    """

    target: Track
    models: dict[str, Track]


def wave_figure(name: str, excerpt: Excerpt) -> str:
    """Ten milliseconds at the loudest moment and at a soft one."""
    length = round(_WAVE_MS * 1e-3 * SAMPLE_RATE_HZ)
    windows = {f"{name} moment": _moment(excerpt.target, length, share) for name, share in _MOMENTS.items()}

    def draw(figure: Any) -> None:
        for (title, window), panel in zip(windows.items(), figure.subplots(1, 2), strict=True):
            milliseconds = np.arange(length) / SAMPLE_RATE_HZ * 1e3
            panel.plot(milliseconds, excerpt.target[window], color=INK, linewidth=2.4, alpha=0.55, label="target")
            for colour, (label, track) in zip(COLOURS, excerpt.models.items(), strict=False):
                panel.plot(milliseconds, track[window], color=colour, linewidth=1.1, label=label)
            panel.set(title=title, xlabel="ms")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

    return svg(f"waves-{name}", (11, 3.4), draw)


def spectrogram_figure(name: str, excerpt: Excerpt) -> str:
    """Two seconds from the attack to the decay: outputs above, errors below."""
    length = min(len(excerpt.target), round(_SPECTROGRAM_SECONDS * SAMPLE_RATE_HZ))
    window = _moment(excerpt.target, length, 1.0)
    target = excerpt.target[window]

    def draw(figure: Any) -> None:
        panels = figure.subplots(2, 1 + len(excerpt.models), sharex=True, sharey=True, squeeze=False)
        _spectrogram(panels[0, 0], target, "target")
        panels[1, 0].axis("off")
        panels[1, 0].text(0.5, 0.5, "errors →", ha="center", va="center", transform=panels[1, 0].transAxes)
        for index, (label, track) in enumerate(excerpt.models.items(), start=1):
            _spectrogram(panels[0, index], track[window], label)
            last = _spectrogram(panels[1, index], track[window] - target, "")
            panels[1, index].set_xlabel("s")
        panels[0, 0].set_ylabel("kHz")
        figure.colorbar(last, ax=panels, label="dBFS", shrink=0.8)

    return svg(f"spectrograms-{name}", (11, 4.8), draw)


def alias_figure(name: str, probes: dict[str, AliasingProbe]) -> str:
    """The spectrum of one sine through each: harmonics, and all that is none."""
    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(probes), sharey=True, squeeze=False)[0]
        for (label, probe), panel in zip(probes.items(), panels, strict=True):
            khz, level = probe.bins_hz / 1000, np.maximum(probe.spectrum_dbfs, _SHOWN_DBFS[0])
            dirt = np.flatnonzero(~probe.is_harmonic)[1:]  # DC is neither
            # Peaks of groups of bins: nobody can see three thousand of them.
            groups = np.array_split(dirt, 240)
            panel.plot([khz[group].mean() for group in groups], [level[group].max() for group in groups], color=RED,
                       linewidth=0.8)
            panel.vlines(khz[probe.is_harmonic], _SHOWN_DBFS[0], level[probe.is_harmonic], color=BLUE, linewidth=1.6)
            ratio = "" if probe.aliasing_db is None else f"\n{probe.aliasing_db:.1f} dB"
            panel.set(title=f"{label}{ratio}", xlabel="kHz", ylim=_SHOWN_DBFS)
        panels[0].set_ylabel("dBFS")

    return svg(f"aliases-{name}", (11, 2.9), draw)


def _moment(track: Track, length: int, share: float) -> slice:
    """Where the rms over ``length`` samples is ``share`` of that at the loudest place, or as nearly as can be."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(track, dtype=np.float64))])
    sums = energy[length:] - energy[: len(energy) - length]
    start = int(np.argmin(np.abs(sums - share**2 * sums.max())))
    return slice(start, start + length)


def _spectrogram(panel: Any, track: Track, title: str) -> Any:
    spectrum: Any = specgram(track.astype(np.float64), NFFT=1024, noverlap=768, Fs=SAMPLE_RATE_HZ, mode="magnitude")
    magnitude, frequency_hz, time_s = spectrum[:3]
    decibels = 20.0 * np.log10(np.maximum(magnitude, 10.0 ** (_DARKEST_DB / 20.0)))
    panel.set_title(title, fontsize=9)
    panel.grid(visible=False)
    # The same colours in every panel: an error must look as loud as it is.
    return panel.imshow(decibels, origin="lower", aspect="auto", vmin=_DARKEST_DB, vmax=_BRIGHTEST_DB, cmap="magma",
                        extent=(time_s[0], time_s[-1], 0, frequency_hz[-1] / 1e3), interpolation="nearest")
