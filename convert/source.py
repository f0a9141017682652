"""What is converted: a trained network with the recordings that it is measured against."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.audio import Recording, is_silent, read_recording
from neuralpedal.contract.errors import ModelFileError, RecordingError, SpecError
from neuralpedal.contract.manifest import LARGEST_GAIN_DB, LEVELS
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.pair import RecordingPair, read_pair
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.calibration import Range
from neuralpedal.convert.rounding_choice import better_rounded
from neuralpedal.convert.sensitivity import Weights
from neuralpedal.convert.signal_grids import SignalGrids
from neuralpedal.convert.wavenet_graph import grid_weights
from neuralpedal.convert.wavenet_integers import measure_signals
from neuralpedal.train.networks import load_model

Signal = NDArray[np.float32]


class Rounder(Protocol):
    """Puts a network on its grids; given scales, calibration and validation audio, see ``better_rounded``."""

    def __call__(self, weights: Weights, scales: str, calibration: Signal, validation: Signal, /) -> Weights: ...


WARM_UP_S = 0.5
"""Audio before the measured part that brings the state up, where a take has some."""

_LOUDEST_DBU = 100.0
"""A level beyond is none."""

MINIMUM_S = 0.5
"""Of either part of audio without a recording of the pedal."""


@dataclass(frozen=True)
class Take:
    """A measured stretch of audio.

    Attributes:
        dry: (W + T,) float32, the first ``warm_up_samples`` = W only bring the state up.
        wet: (T,) float32, the pedal's recording of what follows; None where there is none.
        description: for the report.
    """

    dry: Signal
    wet: Signal | None
    warm_up_samples: int
    description: str

    def measured(self, output: Signal) -> Signal:
        """The part of a model's output over ``dry`` that lines up with ``wet``."""
        return output[self.warm_up_samples :]

    def esr_wet(self, measured: Signal) -> float | None:
        """ESR of an output's measured part against the pedal's recording; None without one."""
        return None if self.wet is None else esr(self.wet, measured)


@dataclass(frozen=True)
class ConversionSource:
    """Everything that conversion reads.

    Attributes:
        float_model: plays (T,) float32 in float32, from where the network begins.
        calibration: (T,) float32 dry audio for activation ranges.
        calibration_wet: (T,) float32, the pedal's recording of it; None where there is none.
        take: what files are measured on; never part of ``calibration`` when the run says where validation begins.
        provenance: digests and versions for the manifest. levels: what an imported file says of its own, for it too.
        output_gain_db: which an imported network wants behind it; the float model plays without.
        grids: of ``w8a8`` and ``tflm16x8``; None: ``calibration`` is played to choose them.
        rounding: a name of ``ROUNDINGS``: how weights are put on their int8 grids.
        rounder: does it; given weights, scales, calibration and validation audio, see ``better_rounded``.
    """

    name: str
    weights: AnyWeights
    float_model: Callable[[Signal], Signal]
    calibration: Signal
    take: Take
    provenance: dict[str, str]
    calibration_wet: Signal | None = None
    grids: SignalGrids | None = None
    rounding: str = "nearest"
    rounder: Rounder = better_rounded
    levels: dict[str, float] = field(default_factory=dict)
    output_gain_db: float = 0.0

    @property
    def recurrent(self) -> NetworkWeights:
        """The weights of a recurrent network, for what no other has. Raises SpecError."""
        if not isinstance(self.weights, NetworkWeights):
            raise SpecError(f"{self.name}: a {self.weights.spec.label} is no recurrent network")
        return self.weights

    @cached_property
    def wavenet_rounded(self) -> WaveNetWeights:
        """A WaveNet's weights for a grid per output channel."""
        assert isinstance(self.weights, WaveNetWeights)
        return self._rounded(self.weights, "channel")

    @cached_property
    def wavenet_held(self) -> WaveNetWeights:
        """The same, on that grid."""
        return grid_weights(self.wavenet_rounded)

    @cached_property
    def wavenet_signals(self) -> dict[str, Range]:
        """What their signals reach over the calibration audio. Raises RecordingError: it is empty or silent."""
        return measure_signals(self.wavenet_held, self.calibration)

    @cached_property
    def channel_rounded(self) -> NetworkWeights:
        """The weights for a grid per output channel."""
        return self._rounded(self.recurrent, "channel")

    @cached_property
    def gate_rounded(self) -> NetworkWeights:
        """The weights for a grid per matrix of a gate."""
        return self._rounded(self.recurrent, "gate")

    def _rounded(self, weights: Weights, scales: str) -> Weights:
        # Nearest is what the builders do anyway.
        joint = self.rounding == "joint"
        return self.rounder(weights, scales, self.calibration, self.take.dry) if joint else weights


def read_source(path: Path, dry: Path | None = None, wet: Path | None = None,
                guitar: Callable[[int], Signal] | None = None,
               admit: Callable[[NetworkSpec | WaveNetSpec], None] = lambda spec: None) -> ConversionSource:
    """Open a run folder (or a bare ``.keras`` with ``dry``).

    Without ``dry`` the run's own recordings are read: training part to calibrate on, validation part to measure on.
    With ``dry`` and ``wet`` the given pair is measured on whole; the run's training part, if there, still calibrates.
    With ``dry`` alone its first three quarters calibrate, and the files are held against the float model on the last.
    So it is with an imported run without any recording, for which ``guitar`` plays.

    Args:
        guitar: dry audio of some length at a sample rate in Hz.
        admit: refuses a network, before any audio is read or played, by whatever it raises.

    Raises:
        ModelFileError: no model there. RecordingError: recordings missing, changed since training, unusable.
    """
    run = RunFolder(Path(path))
    bare = not run.path.is_dir()
    model = load_model(run.path if bare else run.model)
    admit(model.spec)
    training = {} if bare else run.read_training()
    audio = _choose_audio(run, training, model.spec.sample_rate_hz, dry, wet, guitar)
    weights = model.network_weights()
    provenance = {"weights_sha256": weights.digest(), **audio.provenance, **_origin(training)}
    name = run.path.stem if bare else run.path.resolve().name
    return ConversionSource(name, weights, model.process, audio.calibration, audio.take, provenance,
                            audio.calibration_wet, levels=_levels(training),
                            output_gain_db=_output_gain_db(run.path, training))


@dataclass(frozen=True)
class _Audio:
    """What a conversion plays; see ConversionSource."""

    calibration: Signal
    take: Take
    provenance: dict[str, str]
    calibration_wet: Signal | None = None


def _choose_audio(run: RunFolder, training: dict[str, Any], rate_hz: int, dry: Path | None, wet: Path | None,
                  guitar: Callable[[int], Signal] | None) -> _Audio:
    recordings, given = training.get("data", {}), _given_take(dry, wet, rate_hz)
    if given and not _recordings_are_there(recordings):
        pair, take = given
        return _Audio(pair.dry.samples, take, pair.digests(), pair.wet.samples)
    if dry is not None and not given:
        track = read_recording(dry)
        _check_rate(track, rate_hz)
        return _without_wet(track.samples, rate_hz, str(dry), {"dry_sha256": track.digest()})
    if recordings:
        pair, boundary = _training_pair(run, recordings)
        take = given[1] if given else _validation_take(pair, boundary)
        return _Audio(pair.dry.samples[:boundary], take, pair.digests(), pair.wet.samples[:boundary])
    if guitar is None or not training:
        raise RecordingError(f"{run.path}: a bare Keras model does not say what it was trained on; add --dry, and "
                             "--wet to measure against the pedal")
    return _without_wet(guitar(rate_hz), rate_hz, "built-in guitar", {"dry": "built-in guitar"})


def _without_wet(samples: Signal, rate_hz: int, name: str, provenance: dict[str, str]) -> _Audio:
    """Three quarters to calibrate on, the last one to measure on, the state brought up by what precedes it."""
    boundary = len(samples) * 3 // 4
    for part, place in ((samples[:boundary], "first three quarters"), (samples[boundary:], "last quarter")):
        if len(part) < MINIMUM_S * rate_hz or is_silent(part):
            raise RecordingError(f"{name}: {len(part) / rate_hz:.2g} s in its {place}"
                                 f"{', and silent' if len(part) and is_silent(part) else ''}; wanted at least "
                                 f"{MINIMUM_S:g} s of playing there")
    warm_up = min(boundary, round(WARM_UP_S * rate_hz))
    take = Take(samples[boundary - warm_up :], None, warm_up, f"last quarter of {Path(name).name}, without a recording "
                                                              "of the pedal")
    return _Audio(samples[:boundary], take, provenance)


def _origin(training: dict[str, Any]) -> dict[str, str]:
    """Of an imported network: which file it comes from."""
    imported = training.get("imported", {})
    return {f"imported_{key}": str(imported[key]) for key in ("format", "sha256") if key in imported}


def _given_take(dry: Path | None, wet: Path | None, rate_hz: int) -> tuple[RecordingPair, Take] | None:
    if dry is None or wet is None:
        return None
    pair = read_pair(dry, wet)
    _check_rate(pair.dry, rate_hz)
    return pair, Take(pair.dry.samples, pair.wet.samples, 0, f"{pair.dry.path.name} → {pair.wet.path.name}")


def _check_rate(track: Recording, rate_hz: int) -> None:
    if track.sample_rate_hz != rate_hz:
        raise RecordingError(f"{track.path}: {track.sample_rate_hz} Hz, but the model was trained at {rate_hz} Hz; "
                             "give recordings of that rate")


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


def _output_gain_db(path: Path, training: dict[str, Any]) -> float:
    """Of an imported network. Raises ModelFileError beyond what a manifest holds."""
    gain_db = float(training.get("imported", {}).get("output_gain_db") or 0.0)
    if abs(gain_db) > LARGEST_GAIN_DB:
        raise ModelFileError(f"{path}: wants {gain_db:.3g} dB behind the network, a pedal file holds up to "
                             f"{LARGEST_GAIN_DB:g} dB; export the network with other gains")
    return gain_db


def _levels(training: dict[str, Any]) -> dict[str, float]:
    """Of an imported network: the levels in its metadata. People write these by hand: what is no level is left out."""
    said = training.get("imported", {}).get("metadata") or {}
    found = {name: said.get(name.removesuffix("_db")) for name in LEVELS}
    return {name: float(value) for name, value in found.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LOUDEST_DBU}
