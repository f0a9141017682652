"""All that an inspection found, as one flat table and a list of problems.

Track by track first, then the two side by side; what needs dry and wet in step is measured after the correction that
``train`` would make.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.audio import Recording
from neuralpedal.contract.pair import RecordingPair, is_copy
from neuralpedal.train.inspection.correction import SHORTEST_S, choose_alignment
from neuralpedal.train.inspection.effects import Effects, find_effects
from neuralpedal.train.inspection.faults import TrackFaults, find_faults
from neuralpedal.train.inspection.hum import Hum, find_hum
from neuralpedal.train.inspection.latency import SURE_CONFIDENCE, LatencyEstimate, estimate_latency
from neuralpedal.train.inspection.levels import Levels, measure_levels
from neuralpedal.train.inspection.noise_floor import NoiseFloor, measure_noise_floor
from neuralpedal.train.inspection.overlap import overlap_problems, repeated_share
from neuralpedal.train.inspection.problem import ERROR, WARNING, Problem
from neuralpedal.train.inspection.repeats import Repeatability, measure_repeatability
from neuralpedal.train.inspection.rough_lag import FARTHEST_S
from neuralpedal.train.inspection.sway import Sway
from neuralpedal.train.inspection.tracks import read_tracks

VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Inspection:
    """Findings about a dry and a wet track.

    Attributes:
        faults, hum: by track, ``dry`` and ``wet``.
        latency and what follows: None when the tracks could not be compared.
        repeatability: None too when the dry track repeats nothing.
        alignment: what ``train`` corrects.
    """

    sample_rate_hz: int
    seconds: float
    problems: tuple[Problem, ...]
    faults: dict[str, TrackFaults]
    hum: dict[str, Hum]
    levels: Levels | None = None
    latency: LatencyEstimate | None = None
    noise: NoiseFloor | None = None
    effects: Effects | None = None
    repeatability: Repeatability | None = None
    repeated_share: float | None = None
    alignment: Alignment = dataclasses.field(default_factory=Alignment)

    @property
    def usable(self) -> bool:
        """False when a problem forbids training."""
        return all(problem.severity != ERROR for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Flat figures, None where nothing could be measured, and ``problems``."""
        content: dict[str, Any] = {"sample_rate_hz": self.sample_rate_hz, "seconds": round(self.seconds, 3)}
        content |= _latency_figures(self.latency)
        content |= {"corrected_latency_samples": self.alignment.latency_samples}
        content |= _fields(self.latency and self.latency.sway, Sway)
        content |= _fields(self.noise, NoiseFloor) | _fields(self.effects, Effects)
        content |= _fields(self.repeatability, Repeatability)
        content |= _fields(self.levels, Levels, leave_out=("frame_dbfs", "seconds"))
        content["repeated_share"] = self.repeated_share
        for track, faults in self.faults.items():
            content |= {f"{track}_{key}": value for key, value in dataclasses.asdict(faults).items()}
            content |= {f"{track}_{key}": value for key, value in dataclasses.asdict(self.hum[track]).items()}
        content["problems"] = [problem.to_json() for problem in self.problems]
        return content


def inspect_files(dry: Path, wet: Path) -> Inspection:
    """Inspect two files, whatever is wrong with them.

    Raises:
        RecordingError: one is missing, not audio or empty.
    """
    tracks = read_tracks(dry, wet)
    return _inspect(tracks.dry, tracks.wet, tracks.problems, tracks.comparable, VALIDATION_SHARE)


def inspect_pair(pair: RecordingPair, validation_share: float = VALIDATION_SHARE) -> Inspection:
    """Inspect a pair that was read already; its own warnings are not repeated."""
    return _inspect(pair.dry, pair.wet, (), True, validation_share)


def _inspect(dry: Recording, wet: Recording, overlooked: tuple[Problem, ...], comparable: bool,
             validation_share: float) -> Inspection:
    tracks = {"dry": dry, "wet": wet}
    faults = {name: find_faults(track.samples) for name, track in tracks.items()}
    hum = {name: find_hum(track.samples, track.sample_rate_hz) for name, track in tracks.items()}
    problems = list(overlooked)
    for name, track in tracks.items():
        problems += faults[name].problems(track.path, name) + hum[name].problems(track.path, name)
    alone = Inspection(dry.sample_rate_hz, dry.seconds, tuple(problems), faults, hum)
    silent = any(track.silent for track in faults.values())
    if silent or not comparable or dry.seconds < SHORTEST_S:
        return alone
    if is_copy(dry.samples, wet.samples):
        problems.append(Problem("copy", WARNING, f"{wet.path}: a copy of {dry.path} but for its level; was the pedal "
                                                 "bypassed?"))
        return dataclasses.replace(alone, problems=tuple(problems))
    return _compare(alone, dry, wet, validation_share)


def _compare(alone: Inspection, dry: Recording, wet: Recording, validation_share: float) -> Inspection:
    latency = estimate_latency(dry.samples, wet.samples, dry.sample_rate_hz)
    alignment = choose_alignment(latency)
    aligned = alignment.apply(RecordingPair(dry, wet))
    x, y = aligned.dry.samples, aligned.wet.samples
    levels, noise = measure_levels(x, dry.sample_rate_hz), measure_noise_floor(x, y)
    effects = find_effects(x, y, latency, dry.sample_rate_hz)
    repeats = measure_repeatability(x, y, dry.sample_rate_hz)
    share = repeated_share(x, len(x) - round(len(x) * validation_share), dry.sample_rate_hz)
    problems = (*alone.problems, *latency_problems(latency, alignment, wet.path), *noise.problems(dry.path, wet.path),
                *(repeats.problems(wet.path) if repeats else ()),
                *_effect_problems(latency.sway, effects, wet.path), *levels.problems(dry.path),
                *overlap_problems(share, dry.path))
    return dataclasses.replace(alone, problems=problems, levels=levels, latency=latency, noise=noise, effects=effects,
                               repeatability=repeats, repeated_share=share, alignment=alignment)


def _effect_problems(sway: Sway, effects: Effects, wet: Path) -> list[Problem]:
    """What moves by itself is named once: by its delay, where that is what moves."""
    swaying = sway.problems(wet)
    return swaying + [problem for problem in effects.problems(wet)
                      if not (swaying and problem.code == swaying[0].code)]


def latency_problems(latency: LatencyEstimate, alignment: Alignment, wet: Path) -> list[Problem]:
    """What is wrong with how wet lies against dry."""
    if latency.sway.clear:
        return []
    if latency.confidence < SURE_CONFIDENCE:
        return [Problem("alignment_unclear", WARNING, f"{wet}: no clear common signal with the dry track within "
                                                      f"±{FARTHEST_S:.0f} s (confidence {latency.confidence:.2f}, "
                                                      f"wanted {SURE_CONFIDENCE}), so nothing is corrected; are they "
                                                      "the same take? Trim both so that they begin together")]
    found = []
    if alignment.latency_samples:
        direction = "behind" if latency.latency_samples > 0 else "ahead of"
        found.append(Problem("latency", WARNING, f"{wet}: {abs(latency.latency_samples):.1f} samples {direction} the "
                                                 "dry track, wanted 0; train moves it back, or do so in your editor"))
    if alignment.inverted:
        found.append(Problem("inverted", WARNING, f"{wet}: polarity inverted against the dry track; train turns it "
                                                  "back"))
    if alignment.drift_ppm:
        found.append(Problem("drift", WARNING, f"{wet}: drifts by {alignment.drift_ppm:+.2f} ppm against the dry "
                                               "track: two clocks; train resamples it, one interface for both tracks "
                                               "avoids it"))
    return found


def _latency_figures(latency: LatencyEstimate | None) -> dict[str, Any]:
    if latency is None:
        return dict.fromkeys(("latency_samples", "latency_confidence", "inverted", "drift_ppm", "drift_error_ppm"))
    error = latency.drift_error_ppm
    return {"latency_samples": round(latency.latency_samples, 3), "latency_confidence": round(latency.confidence, 3),
            "inverted": latency.inverted, "drift_ppm": round(latency.drift_ppm, 3),
            "drift_error_ppm": round(error, 3) if np.isfinite(error) else None}


def _fields(value: Any, kind: type[Any], leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The figures of a dataclass by name, all None when there is no value."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in leave_out]
    return {name: None if value is None else getattr(value, name) for name in names}
