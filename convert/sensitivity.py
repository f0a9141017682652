"""How much the output of a network answers to each of its weights, and to all of them together.

A small change δ of all weights moves output sample t by J_t·δ, so the mean error energy is δᵀGδ with G = E[J_tᵀJ_t].
J_t comes from back-propagation through time. A frame network's window has one answer and gives one J_t. A stream
would need one back-propagation per sample; instead a stretch is differentiated once, its answers summed with random
signs: v = Σ ε_t J_t has E[vᵀv] = Σ J_tᵀJ_t, because the signs of different samples cancel (Hutchinson's estimator).
What a weight did before its stretch began is left out of v.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.dense import SLOPES, DenseLayer, DensePlayer, DenseWeights
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array, NetworkWeights, network_of
from neuralpedal.convert import wavenet_sensitivity
from neuralpedal.convert.calibration_windows import windows_of
from neuralpedal.convert.differentiable_cells import CELLS, Tape
from neuralpedal.convert.excerpt import Excerpt, States

STRETCH_SAMPLES = 512
WARM_UP_SAMPLES = 2048
_LANES = 256
_WINDOWS_AT_ONCE = 1024
_CHECKED_WINDOWS, _CHECKED_STRETCHES = 2048, 512
_LARGEST_OUTLIER, _LARGEST_GRADIENT = 1e6, 1e15
"""Of a lane's gradient: over the median; and so that its square is still a float32."""

Weights = TypeVar("Weights", NetworkWeights, WaveNetWeights)


class Family(Protocol):
    """How the networks of a class of weights play stretches; see the functions of these names here."""

    def checked(self, weights: Any) -> int:
        """See :func:`checked_stretches`."""

    def excerpts(self, weights: Any, audio: Array, vectors: int, seed: int) -> Iterator[Excerpt]:
        """Together at least ``vectors`` lanes."""

    def play(self, weights: Any, dry: Array, states: States, taped: bool = False) -> tuple[Array, States, Any]:
        """Answers, states afterwards, tapes."""

    def gradients(self, weights: Any, tapes: Any, pull: Array) -> Array:
        """One row per lane."""

    def rebuilt(self, weights: Any, arrays: list[Array]) -> Any:
        """A network like ``weights`` of other numbers."""


def _of_family(weights: AnyWeights) -> Family:
    family: Any = wavenet_sensitivity if isinstance(weights, WaveNetWeights) else sys.modules[__name__]
    return family


def checked_stretches(weights: AnyWeights) -> int:
    """Stretches or windows on which the true error is asked for."""
    return _of_family(weights).checked(weights)


def flatten(weights: AnyWeights) -> NDArray[np.float64]:
    """All weights (P,) in the order of ``NetworkWeights.arrays``."""
    return np.concatenate([array.ravel() for array in weights.arrays()]).astype(np.float64)


def unflatten(flat: NDArray[np.float64], like: Weights) -> Weights:
    """The network of ``like``'s shapes with weights (P,)."""
    arrays, start = [], 0
    for array in like.arrays():
        arrays.append(flat[start : start + array.size].reshape(array.shape).astype(np.float32))
        start += array.size
    made: Weights = _of_family(like).rebuilt(like, arrays)
    return made


def checked(weights: NetworkWeights) -> int:
    """See :func:`checked_stretches`."""
    return _CHECKED_WINDOWS if weights.spec.frame_samples else _CHECKED_STRETCHES


def rebuilt(weights: NetworkWeights, arrays: list[Array]) -> NetworkWeights:
    """A network like ``weights`` of other numbers."""
    return network_of(weights.spec, arrays, weights.initial_state)


def excerpts(weights: NetworkWeights, audio: Array, vectors: int, seed: int) -> Iterator[Excerpt]:
    """Excerpts of ``audio`` (T,) at random places, together at least ``vectors`` windows or stretches of lanes.

    A stream's stretches follow each other, lane by lane, after a warm-up from where the network begins. Audio that is
    too short is repeated.
    """
    rng = np.random.default_rng(seed)
    if weights.spec.frame_samples:
        windows = windows_of(audio, weights.spec.frame_samples)
        for start in range(0, vectors, _WINDOWS_AT_ONCE):
            dry = windows[rng.integers(0, len(windows), min(_WINDOWS_AT_ONCE, vectors - start))]
            yield Excerpt(dry.astype(np.float32), first_states(weights, len(dry)), slice(dry.shape[1] - 1, None))
        return
    starts = rng.integers(0, len(audio), min(_LANES, vectors))[:, np.newaxis]

    def cut(begin: int, length: int) -> Array:
        return np.take(audio, starts + np.arange(begin, begin + length), mode="wrap").astype(np.float32)

    _, states, _ = play(weights, cut(-WARM_UP_SAMPLES, WARM_UP_SAMPLES), first_states(weights, len(starts)))
    for stretch in range(-(-vectors // len(starts))):
        dry = cut(stretch * STRETCH_SAMPLES, STRETCH_SAMPLES)
        yield Excerpt(dry, states, slice(0, None))
        _, states, _ = play(weights, dry, states)


def first_states(weights: NetworkWeights, lanes: int) -> States:
    """Where every stream begins: zero, but for a network with a state of its own."""
    return list(weights.first_states(lanes))


@dataclass(frozen=True)
class Tapes:
    """What the backward pass needs: of each recurrent layer, and what the dense layers before and behind them heard,
    what the last one gave last, each (T, lanes, ·)."""

    layers: list[Tape]
    front: list[Array]
    behind: list[Array]


def play(weights: NetworkWeights, dry: Array, states: States, taped: bool = False) -> tuple[Array, States, Tapes]:
    """The head's output (lanes, T) without skip, the states afterwards, and what :func:`gradients` needs if ``taped``.

    Float32: this is for errors of 1e-3 and more, not for proofs.
    """
    cell = CELLS[weights.spec.kind.cell]
    front, behind = (DensePlayer(said, layers, np.float32) for said, layers in
                     ((weights.spec.front, weights.front), (weights.spec.head, weights.head)))
    heard = list(front.signals(np.ascontiguousarray(dry.T)[:, :, np.newaxis]))
    signal, after, tapes = heard[-1], [], []
    for layer, state in zip(weights.layers, states, strict=True):
        hidden, last, tape = cell.play(layer, signal, state, taped)
        after.append(last)
        tapes.extend([tape] if tape else [])
        signal = hidden
    bent = list(behind.signals(signal))
    return (bent[-1] @ weights.head_kernel[:, 0] + weights.head_bias[0]).T, after, Tapes(tapes, heard, bent)


def gradients(weights: NetworkWeights, tapes: Tapes, pull: Array) -> Array:
    """∂/∂weights of Σ_t pull[:, t]·output[:, t], one row per lane: (lanes, P) in the order of :func:`flatten`."""
    pulled = np.ascontiguousarray(pull.T)[:, :, np.newaxis]
    head = np.einsum("tnh,tn->nh", tapes.behind[-1], pulled[:, :, 0])
    parts = [head, pulled[:, :, 0].sum(axis=0)[:, np.newaxis]]
    toward, further = _pull_dense(weights.spec.head, weights.head, tapes.behind, pulled * weights.head_kernel[:, 0])
    parts = [*further, *parts]
    # In a chaotic network a gradient may overflow; who calls us leaves such lanes out.
    with np.errstate(over="ignore", invalid="ignore"):
        for layer, tape in zip(reversed(weights.layers), reversed(tapes.layers), strict=True):
            slopes, state_slopes = CELLS[weights.spec.kind.cell].pull(layer, tape, toward)
            by_lane = np.ascontiguousarray(slopes.transpose(1, 0, 2))
            state_by_lane = by_lane if state_slopes is slopes else np.ascontiguousarray(state_slopes.transpose(1, 0, 2))
            biases = [by_lane, state_by_lane][: weights.spec.kind.bias_rows]
            parts = [_outer(tape.signal, by_lane), _outer(tape.hidden[:-1], state_by_lane),
                     *(rows.sum(axis=1) for rows in biases), *parts]
            if layer is not weights.layers[0] or weights.front:
                toward = slopes @ layer.kernel.T
    _, further = _pull_dense(weights.spec.front, weights.front, tapes.front, toward)
    return np.concatenate([*further, *parts], axis=1)


def _pull_dense(said: Sequence[DenseLayer], layers: Sequence[DenseWeights], signals: Sequence[Array],
                toward: Array) -> tuple[Array, list[Array]]:
    """From ∂/∂answer (T, lanes, units) of dense layers to ∂/∂(what they heard), and the gradients by lane."""
    parts: list[Array] = []
    for index in range(len(layers) - 1, -1, -1):
        slopes = toward * SLOPES[said[index].activation](signals[index + 1])
        by_lane = np.ascontiguousarray(slopes.transpose(1, 0, 2))
        parts = [_outer(signals[index], by_lane), by_lane.sum(axis=1), *parts]
        toward = slopes @ layers[index].kernel.T
    return toward, parts


def _sane(rows: Array) -> Array:
    """``rows`` (lanes, P) without those of lanes in which the network is chaotic: their gradients explode."""
    sizes = np.max(np.abs(rows), axis=1)
    finite = np.isfinite(sizes)
    usual = np.median(sizes[finite]) if finite.any() else 0.0
    rows[~finite | (sizes > min(_LARGEST_OUTLIER * usual, _LARGEST_GRADIENT))] = 0.0
    return rows


def _outer(signal: Array, by_lane: Array) -> Array:
    """Per lane Σ_t signal_t ⊗ slope_t, (lanes, inputs·G·H)."""
    products = np.ascontiguousarray(signal.transpose(1, 0, 2)).transpose(0, 2, 1) @ by_lane
    return products.reshape(len(by_lane), -1)


def measure_sensitivity(weights: AnyWeights, audio: Array, vectors: int, seed: int = 0,
                        places: NDArray[np.int64] | None = None,
                        watch: Callable[[float], None] = lambda fraction: None) -> Array:
    """G (P, P), float32: mean error energy per output sample of a change of weights.

    Args:
        places: of the weights that may change, P of them; None: all. watch: is given the share that is done.
    """
    rng = np.random.default_rng(seed)
    family = _of_family(weights)
    size = weights.spec.num_parameters if places is None else len(places)
    total, answers, done = np.zeros((size, size), np.float32), 0, 0
    for excerpt in family.excerpts(weights, audio, vectors, seed):
        _, _, tapes = family.play(weights, excerpt.dry, excerpt.states, taped=True)
        pull = np.zeros_like(excerpt.dry)
        counted = pull[:, excerpt.answers]
        counted[...] = rng.choice(np.array([-1, 1], np.float32), counted.shape)
        rows = _sane(family.gradients(weights, tapes, pull))
        rows = rows if size == rows.shape[1] else rows[:, places]
        total += rows.T @ rows
        answers += counted.size
        done += len(rows)
        watch(min(1.0, done / vectors))
    total /= np.float32(answers)
    return total


def error_and_slope(teacher: Weights, student: Weights, audio: Array, vectors: int,
                    seed: int) -> tuple[float, NDArray[np.float64]]:
    """Mean square of student − teacher per output sample, and half its gradient by the student's weights (P,)."""
    energy, answers, slope = 0.0, 0, np.zeros(student.spec.num_parameters)
    own: States = []
    family = _of_family(teacher)
    for excerpt in family.excerpts(teacher, audio, vectors, seed):
        wanted, _, _ = family.play(teacher, excerpt.dry, excerpt.states)
        fresh = not own or excerpt.answers.start != 0
        found, own, tapes = family.play(student, excerpt.dry, excerpt.states if fresh else own, taped=True)
        pull = np.zeros_like(excerpt.dry)
        pull[:, excerpt.answers] = (found - wanted)[:, excerpt.answers]
        energy += float(np.sum(pull.astype(np.float64) ** 2))
        answers += pull[:, excerpt.answers].size
        slope += _sane(family.gradients(student, tapes, pull)).sum(axis=0, dtype=np.float64)
    return energy / answers, slope / answers
