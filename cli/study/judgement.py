"""What is found out about one trained network: the whole test set, and the probes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.study.high_frequencies import high_frequency_figures
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ
from neuralpedal.cli.study.segments import Segments
from neuralpedal.contract.metrics import all_metrics
from neuralpedal.contract.probes import aliasing_figures, probe_all_aliasing, probe_silence, silence_figures
from neuralpedal.contract.spectral_metrics import all_spectral_metrics

Track = NDArray[np.float32]
Play = Callable[[Track], Track]
"""A whole track (T,) from zero state."""

Report = Callable[[float], None]

_FADE_SECONDS = 0.005


def play_test_set(play: Play, segments: Segments, report: Report) -> Track:
    """The test segments through a model, one after another, each after its warm-up: (n·L,)."""
    played = []
    for index, segment in enumerate(segments.test):
        played.append(play(segment.dry)[segment.warm_up_samples :])
        report((index + 1) / len(segments.test))
    return np.concatenate(played)


def judge(play: Play, segments: Segments, report: Report) -> tuple[dict[str, Any], Track]:
    """Every figure of a model, flat, and what it made of the test set (n·L,)."""
    played = play_test_set(play, segments, lambda done: report(0.7 * done))
    wet = segments.test_wet
    faded_wet, faded = (_faded(track, segments.length) for track in (wet, played))
    figures: dict[str, Any] = {
        **all_metrics(wet, played),
        **all_spectral_metrics(faded_wet, faded, SAMPLE_RATE_HZ),
        **high_frequency_figures(faded_wet, faded, SAMPLE_RATE_HZ),
    }
    figures |= probe_figures(lambda samples: play(samples.astype(np.float32)), lambda done: report(0.8 + 0.2 * done))
    return figures, played


def probe_figures(play: Callable[[NDArray[np.float64]], NDArray[Any]], report: Report) -> dict[str, Any]:
    """Aliasing and silence of anything that plays."""
    aliasing = aliasing_figures(probe_all_aliasing(play, SAMPLE_RATE_HZ, report))
    return {**aliasing, **silence_figures(probe_silence(play, SAMPLE_RATE_HZ))}


def _faded(track: Track, length: int) -> Track:
    """5 ms faded in and out at every segment's ends: a seam is a click, which no pedal makes, over all bands."""
    fade = round(_FADE_SECONDS * SAMPLE_RATE_HZ)
    window = np.ones(length, np.float32)
    window[:fade] = np.arange(fade) / fade
    window[-fade:] = window[:fade][::-1]
    faded: Track = (track.reshape(-1, length) * window).reshape(-1)
    return faded
