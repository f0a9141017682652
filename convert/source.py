"""What is converted: a trained network with the recordings that it is measured against."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.errors import ModelFileError, RecordingError
from neuralpedal.contract.pair import RecordingPair, read_pair
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.rounding_choice import better_rounded
from neuralpedal.convert.signal_grids import SignalGrids
from neuralpedal.train.networks import load_model

Signal = NDArray[np.float32]
Rounder = Callable[[NetworkWeights, str, Signal, Signal], NetworkWeights]

WARM_UP_S = 0.5
"""Audio before the measured part that brings the state up, where a take has some."""


@dataclass(frozen=True)
class Take:
    """A measured stretch of audio.

    Attributes:
        dry: (W + T,) float32, the first ``warm_up_samples`` = W only bring the state up. wet: (T,) float32.
        description: for the report.
    """

    dry: Signal
    wet: Signal
    warm_up_samples: int
    description: str

    def measured(self, output: Signal) -> Signal:
        """The part of a model's output over ``dry`` that lines up with ``wet``."""
        return output[self.warm_up_samples :]


@dataclass(frozen=True)
class ConversionSource:
    """Everything that conversion reads.

    Attributes:
        float_model: plays (T,) float32 from zero state in float32.
        calibration: (T,) float32 dry audio for activation ranges.
        calibration_wet: (T,) float32, the pedal's recording of it; None where there is none.
        take: what files are measured on; never part of ``calibration`` when the run says where validation begins.
        provenance: digests and versions for the manifest.
        grids: of ``w8a8`` and ``tflm16x8``; None: ``calibration`` is played to choose them.
        rounding: a name of ``ROUNDINGS``: how weights are put on their int8 grids.
        rounder: does it; given weights, scales, calibration and validation audio, see ``better_rounded``.
    """

    name: str
    weights: NetworkWeights
    float_model: Callable[[Signal], Signal]
    calibration: Signal
    take: Take
    provenance: dict[str, str]
    calibration_wet: Signal | None = None
    grids: SignalGrids | None = None
    rounding: str = "nearest"
    rounder: Rounder = better_rounded

    @cached_property
    def channel_rounded(self) -> NetworkWeights:
        """The weights for a grid per output channel."""
        return self._rounded("channel")

    @cached_property
    def gate_rounded(self) -> NetworkWeights:
        """The weights for a grid per matrix of a gate."""
        return self._rounded("gate")

    def _rounded(self, scales: str) -> NetworkWeights:
        # Nearest is what the builders do anyway.
        joint = self.rounding == "joint"
        return self.rounder(self.weights, scales, self.calibration, self.take.dry) if joint else self.weights


def read_source(path: Path, dry: Path | None = None, wet: Path | None = None) -> ConversionSource:
    """Open a run folder (or a bare ``.keras`` with ``dry`` and ``wet``).

    Without ``dry`` and ``wet`` the run's own recordings are read: training part to calibrate on, validation part to
    measure on. With them, the given pair is measured on whole; the run's training part, if there, still calibrates.

    Raises:
        ModelFileError: no model there. RecordingError: recordings missing, changed since training, unusable.
    """
    run = RunFolder(Path(path))
    bare = not run.path.is_dir()
    model = load_model(run.path if bare else run.model)
    rate = model.spec.sample_rate_hz
    given = _given_take(dry, wet, rate)
    training = {} if bare else run.read_training().get("data", {})
    if given and not _recordings_are_there(training):
        pair, take = given
        calibrating = slice(None)
    elif training:
        pair, boundary = _training_pair(run, training)
        take = given[1] if given else _validation_take(pair, boundary)
        calibrating = slice(boundary)
    else:
        raise RecordingError(f"{path}: a bare Keras model does not say what it was trained on; add --dry and --wet")
    weights = model.network_weights()
    provenance = {"weights_sha256": weights.digest(), **pair.digests()}
    name = run.path.stem if bare else run.path.resolve().name
    return ConversionSource(name, weights, model.process, pair.dry.samples[calibrating], take, provenance,
                            pair.wet.samples[calibrating])


def _given_take(dry: Path | None, wet: Path | None, rate_hz: int) -> tuple[RecordingPair, Take] | None:
    if dry is None or wet is None:
        return None
    pair = read_pair(dry, wet)
    if pair.sample_rate_hz != rate_hz:
        raise RecordingError(f"{dry}: {pair.sample_rate_hz} Hz, but the model was trained at {rate_hz} Hz; "
                             "give recordings of that rate")
    return pair, Take(pair.dry.samples, pair.wet.samples, 0, f"{pair.dry.path.name} → {pair.wet.path.name}")


def _recordings_are_there(training: dict[str, Any]) -> bool:
    return all(Path(training.get(track, "")).is_file() for track in ("dry", "wet"))


def _training_pair(run: RunFolder, training: dict[str, Any]) -> tuple[RecordingPair, int]:
    try:
        paths = Path(training["dry"]), Path(training["wet"])
        boundary = int(training["validation_starts_at_sample"])
        digests = training["dry_sha256"], training["wet_sha256"]
        alignment = Alignment.model_validate(training.get("aligned", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{run.training}: says nothing usable of {error}; train again") from error
    for path in paths:
        if not path.is_file():
            raise RecordingError(f"{path}: the run was trained on it, but it is no longer there; "
                                 "give recordings with --dry and --wet")
    pair = read_pair(*paths)
    for track, digest in zip((pair.dry, pair.wet), digests, strict=True):
        if track.digest() != digest:
            raise RecordingError(f"{track.path}: has changed since {run.path} was trained on it; "
                                 "give recordings with --dry and --wet")
    return alignment.apply(pair), boundary


def _validation_take(pair: RecordingPair, boundary: int) -> Take:
    warm_up = min(boundary, round(WARM_UP_S * pair.sample_rate_hz))
    return Take(pair.dry.samples[boundary - warm_up :], pair.wet.samples[boundary:], warm_up,
                f"validation part of {pair.dry.path.name} → {pair.wet.path.name}")
