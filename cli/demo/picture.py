"""One picture of a conversion: the loudest moment as waveforms, and spectrograms of pedal, schemes and errors."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.mlab import specgram
from numpy.typing import NDArray

from neuralpedal.cli.picture import png_figure

Signal = NDArray[np.float32]

_WAVEFORM_MS = 12.0
_SPECTROGRAM_S = 3.0
_FLOOR_DB = -110.0


def write_picture(path: Path, wet: Signal, schemes: dict[str, Signal], sample_rate_hz: int, title: str) -> None:
    """Write a PNG of the real pedal ``wet`` (T,) beside each scheme's output (T,). Raises as png_figure."""
    with png_figure(path, (12, 3.2 + 2.4 * len(schemes)), title) as figure:
        rows = figure.subplots(1 + len(schemes), 2, width_ratios=(1, 1))
        window = _loudest_window(wet, round(_WAVEFORM_MS * 1e-3 * sample_rate_hz))
        excerpt = _loudest_window(wet, min(len(wet), round(_SPECTROGRAM_S * sample_rate_hz)))
        _spectrogram(rows[0, 1], wet[excerpt], sample_rate_hz, "pedal")
        _waveform(rows[0, 0], wet, schemes, window, sample_rate_hz)
        for (name, output), (left, right) in zip(schemes.items(), rows[1:], strict=True):
            _spectrogram(left, output[excerpt], sample_rate_hz, name)
            _spectrogram(right, (output - wet)[excerpt], sample_rate_hz, f"{name}: error")


def _loudest_window(signal: Signal, length: int) -> slice:
    """Where ``length`` samples hold the most energy."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=np.float64))])
    start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
    return slice(start, start + length)


def _waveform(axes, wet: Signal, schemes: dict[str, Signal], window: slice, rate_hz: int) -> None:  # type: ignore[no-untyped-def]
    milliseconds = np.arange(window.stop - window.start) / rate_hz * 1e3
    axes.plot(milliseconds, wet[window], color="black", linewidth=2.0, label="pedal")
    for name, output in schemes.items():
        axes.plot(milliseconds, output[window], linewidth=1.0, label=name)
    axes.set(xlabel="ms", title="loudest moment")
    axes.legend(fontsize="small")


def _spectrogram(axes, signal: Signal, rate_hz: int, title: str) -> None:  # type: ignore[no-untyped-def]
    spectrum: Any = specgram(np.asarray(signal, np.float64), NFFT=2048, noverlap=1536, Fs=rate_hz, mode="magnitude")
    magnitude, frequency_hz, time_s = spectrum[:3]
    decibels = 20.0 * np.log10(np.maximum(magnitude, 10.0 ** (_FLOOR_DB / 20.0)))
    # The same colours in every panel: an error must look as loud as it is.
    axes.pcolormesh(time_s, frequency_hz / 1e3, decibels, vmin=_FLOOR_DB, vmax=-20.0, cmap="magma", rasterized=True)
    axes.set(title=title, xlabel="s", ylabel="kHz")
