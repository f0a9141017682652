"""How large every activation gets on real playing: what the integer file's scales are made from.

The float64 reference plays the audio, because the ranges must be those of the network and not of another runtime.
One stream would take minutes; so the recording is cut into contiguous pieces that are played side by side, each
started early enough on the audio before it to forget that it began in silence. Of a frame network, which would play
every sample F times, chosen windows are played (``calibration_windows.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.reference import FrameReferenceNetwork, ReferenceNetwork
from neuralpedal.contract.reference_cells import Float, State
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.calibration_windows import Places, around_extremes, choose_places, windows_of

LANES = 64
WARM_UP_SAMPLES = 8192
"""170 ms at 48 kHz: longer than the memory of most trained pedals. Cells that integrate for longer are seen too small
and then saturate in the integer file; one lane over the whole recording sees them rightly, slowly."""

_WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Range:
    """Smallest and largest value seen."""

    low: float
    high: float

    @property
    def peak(self) -> float:
        """Largest magnitude."""
        return max(-self.low, self.high)

    def union(self, other: "Range") -> "Range":
        """The range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class ActivationRanges:
    """Ranges of every tensor that the integer graph quantizes.

    Attributes:
        input: dry signal. output: wet signal. head: the head's output, before the skip is added.
        hidden, cell: per layer, over all units.
    """

    input: Range
    hidden: tuple[Range, ...]
    cell: tuple[Range, ...]
    head: Range
    output: Range


def calibrate(weights: NetworkWeights, samples: NDArray[np.float32], lanes: int = LANES,
              warm_up_samples: int = WARM_UP_SAMPLES) -> ActivationRanges:
    """Play ``samples`` (T,) through the reference and note the ranges.

    Args:
        lanes: pieces played side by side. warm_up_samples: audio before each piece that is played but not noted.
            Both are for networks that stream.

    Raises:
        RecordingError: empty or silent: a scale from nothing would clip everything.
    """
    if samples.ndim != 1 or samples.size == 0 or is_silent(samples):
        raise RecordingError("calibration audio is empty or silent; give some seconds of real playing")
    watch = _Watch(weights.spec.num_layers)
    if weights.spec.frame_samples:
        _watch_frames(weights, samples, weights.spec.frame_samples, watch)
    else:
        _watch_stream(weights, cut_into_lanes(samples, lanes, warm_up_samples), warm_up_samples, watch)
    layers = range(weights.spec.num_layers)
    return ActivationRanges(
        input=_range_of(samples), hidden=tuple(watch.range(f"h{index}") for index in layers),
        cell=tuple(watch.range(f"c{index}") for index in layers), head=watch.range("head"),
        output=watch.range("output"),
    )


def _watch_stream(weights: NetworkWeights, pieces: Float, warm_up_samples: int, watch: "_Watch") -> None:
    """Play pieces (lanes, T) side by side and note what comes after the warm-up.

    A network that begins in a state of its own is watched from there on, in the silence before the first piece too.
    """
    network = ReferenceNetwork(weights, lanes=pieces.shape[0])
    if weights.initial_state is not None:
        watch.note_states(network.states)
    for t in range(pieces.shape[1]):
        y = network.step(pieces[:, t])
        if t < warm_up_samples and weights.initial_state is not None:
            watch.note_answer(pieces[:1, t], y[:1], weights.spec.skip)
            watch.note_states([tuple(array[:1] for array in state) for state in network.states])
        if t >= warm_up_samples:
            watch.note_answer(pieces[:, t], y, weights.spec.skip)
            watch.note_states(network.states)


def _watch_frames(weights: NetworkWeights, samples: NDArray[np.float32], frame_samples: int,
                  watch: "_Watch") -> None:
    """Play chosen windows of ``samples``, then those around the extremes; the states of all F steps are noted."""
    network, windows = FrameReferenceNetwork(weights), windows_of(samples, frame_samples)

    def play(places: Places) -> Float:
        answers = []
        for start in range(0, len(places), _WINDOWS_AT_ONCE):
            frames = windows[places[start : start + _WINDOWS_AT_ONCE]].astype(np.float64)
            answers.append(network.answer(frames, watch.note_states))
            watch.note_answer(frames[:, -1], answers[-1], weights.spec.skip)
        return np.concatenate(answers)

    places = choose_places(samples, frame_samples)
    wet = play(places)
    further = around_extremes(places, (wet, wet - samples[places]), len(samples))
    if len(further):
        play(further)


def cut_into_lanes(samples: NDArray[np.float32], lanes: int, warm_up_samples: int) -> Float:
    """Contiguous pieces (lanes, warm_up_samples + n), each led by the audio before it (silence before the first).

    The last piece is filled up with silence; pieces are at least as long as the warm-up, so that short audio gives
    fewer of them.
    """
    size = max(-(-len(samples) // lanes), min(warm_up_samples, len(samples)), 1)
    count = -(-len(samples) // size)
    padded = np.zeros(warm_up_samples + count * size)
    padded[warm_up_samples : warm_up_samples + len(samples)] = samples
    return np.stack([padded[k * size : k * size + warm_up_samples + size] for k in range(count)])


class _Watch:
    """Running minimum and maximum by name."""

    def __init__(self, num_layers: int) -> None:
        names = ["output", "head", *(f"{kind}{index}" for kind in "hc" for index in range(num_layers))]
        self._ranges = {name: [np.inf, -np.inf] for name in names}

    def note_answer(self, dry: Float, wet: Float, skip: bool) -> None:
        """What the network made of ``dry``, one sample per lane."""
        self.note("output", wet)
        self.note("head", wet - dry if skip else wet)

    def note_states(self, states: list[State]) -> None:
        """h and c of every layer."""
        for index, state in enumerate(states):
            self.note(f"h{index}", state[0])
            self.note(f"c{index}", state[1])

    def note(self, name: str, values: Float) -> None:
        pair = self._ranges[name]
        pair[0] = min(pair[0], values.min())
        pair[1] = max(pair[1], values.max())

    def range(self, name: str) -> Range:
        low, high = self._ranges[name]
        return Range(float(low), float(high))


def _range_of(values: NDArray[np.float32]) -> Range:
    return Range(float(values.min()), float(values.max()))
