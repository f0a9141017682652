"""All that is known about one model after it was played: figures of a take, profiles, answers to probes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.model_source import PlayableModel
from neuralpedal.contract.esr_profiles import Row, esr_over_level, esr_over_time
from neuralpedal.contract.metrics import all_metrics
from neuralpedal.contract.pair import RecordingPair
from neuralpedal.contract.probes import (
    AliasingProbe,
    SilenceProbe,
    aliasing_figures,
    probe_all_aliasing,
    probe_silence,
    silence_figures,
)
from neuralpedal.contract.spectral_metrics import all_spectral_metrics


@dataclass(frozen=True)
class Probes:
    """Answers to the test signals of :mod:`neuralpedal.contract.probes`."""

    aliasing: list[AliasingProbe]
    silence: SilenceProbe


@dataclass(frozen=True)
class Evaluation:
    """One model on one take.

    Attributes:
        time_domain, spectral: figures under their JSON keys.
        over_time, over_level: rows of :mod:`neuralpedal.contract.esr_profiles`.
        probes: None when the model was not probed.
    """

    time_domain: dict[str, float]
    spectral: dict[str, float | None]
    over_time: list[Row]
    over_level: list[Row]
    probes: Probes | None

    def as_dict(self) -> dict[str, Any]:
        """Flat but for the two profiles, which are lists of rows."""
        figures: dict[str, Any] = {**self.time_domain, **self.spectral}
        if self.probes:
            figures |= {**aliasing_figures(self.probes.aliasing), **silence_figures(self.probes.silence)}
        return {**figures, "esr_over_time": self.over_time, "esr_over_level": self.over_level}


def measure(pair: RecordingPair, played: NDArray[np.float32], probes: Probes | None) -> Evaluation:
    """Compare ``played`` (T,), what the model made of ``pair.dry``, with ``pair.wet``.

    Raises:
        RecordingError: lengths differ, or the wet track has no energy.
    """
    dry, wet, rate = pair.dry.samples, pair.wet.samples, pair.sample_rate_hz
    return Evaluation(all_metrics(wet, played), all_spectral_metrics(wet, played, rate),
                      esr_over_time(wet, played, rate), esr_over_level(dry, wet, played, rate), probes)


def probe(model: PlayableModel, report: Callable[[float], None]) -> Probes:
    """Play every test signal; about ten seconds of audio."""
    def play(samples: NDArray[np.float64]) -> NDArray[np.float32]:
        return model.play(samples.astype(np.float32), lambda _: None)

    aliasing = probe_all_aliasing(play, model.sample_rate_hz, report)
    return Probes(aliasing, probe_silence(play, model.sample_rate_hz))
