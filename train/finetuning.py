"""Trains a finished network on in the arithmetic of its integer file, so that the file plays like the float model.

Every matrix lies on its int8 grid from the first step, the dry signal on the grid of the integer input, and gates,
cells and hidden states on theirs (compiled in, see native/lstm_training.c); gradients pass through all rounding. What
is behind the hidden state (the grids of head, skip and output) is not simulated in training: it would only add noise to
the loss, because no later value depends on it. Candidates are judged with it.
Source: Jacob et al. 2018, arXiv:1712.05877 (training in simulated integers).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from neuralpedal.contract.arithmetic import Arithmetic, CompandedGrid, Grid
from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.errors import RecordingError, TrainingError
from neuralpedal.contract.metrics import esr, pre_emphasis
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.train.dataset import SegmentSampler, Split, validation_lanes
from neuralpedal.train.gradient_step import gradient_step
from neuralpedal.train.loss import EsrLoss
from neuralpedal.train.native.grids import coarse_grids
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.networks.pedal_model import PedalModel
from neuralpedal.train.networks.recurrent_stack import States
from neuralpedal.train.recipe import Recipe
from neuralpedal.train.weight_grid import View, on_gate_grids, on_grid, snap

Signal = NDArray[np.float32]
Watch = Callable[[float, float], None]
"""Is given the share of the budget spent, and the best ESR so far."""

LEARNING_RATE, FINAL_LEARNING_RATE = 3e-3, 2e-5
"""Adam's, along half a cosine; 3e-3 ended better than 3e-4 and 1e-3 (w8a8, an SD-1 of 16 units, half a minute each)."""
VALIDATION_SHARE = 0.1
VALIDATION_LANES = 32
VALIDATION_WARM_UP_SAMPLES = 4096
VALIDATIONS = 20
"""Candidates judged over the budget, the start and the end not counted."""

_EMPHASIZED_SHARE = 0.3
_VIEWS: dict[str, View] = {"free": tf.convert_to_tensor, "channel": on_grid, "gate": on_gate_grids}


@dataclass(frozen=True)
class Budget:
    """How long to tune: ``minutes`` of wall time, or ``batches``, for a result that can be repeated."""

    minutes: float | None = None
    batches: int | None = None


@dataclass
class TuningHistory:
    """What happened.

    Attributes:
        esr_start, esr_best: against the target on the validation part, simulated; the best is never above the start.
        candidates: (share of the budget, ESR) of every network that was judged.
        interrupted: Ctrl-C ended it early; the best so far is what there is.
    """

    esr_start: float = math.inf
    esr_best: float = math.inf
    candidates: list[tuple[float, float]] = field(default_factory=list)
    interrupted: bool = False


def finetune(weights: NetworkWeights, arithmetic: Arithmetic, dry: Signal, target: Signal, budget: Budget,
             seed: int = 0, learning_rate: float = LEARNING_RATE,
             watch: Watch = lambda fraction, best: None) -> tuple[NetworkWeights, TuningHistory]:
    """The weights, every matrix on its int8 grid, that play ``dry`` most like ``target`` in ``arithmetic``.

    Args:
        weights: of a network that streams, the start. Rounded to its grid it is the first candidate, so the result is
            never worse on the validation part, the last tenth of the audio.
        dry, target: (T,) float32, what goes in and what should come out: the float model's output, or the wet track.

    Raises:
        RecordingError: too short or silent. TrainingError: no C compiler, or a network that has no such arithmetic.
    """
    tuning = _Tuning(weights, arithmetic, _split(dry, target), seed, learning_rate)
    history = TuningHistory()
    try:
        tuning.run(budget, history, watch)
    except KeyboardInterrupt:
        if not history.candidates:
            raise
        history.interrupted = True
    # Kernels are trained, not the state that playing begins in.
    return replace(tuning.best, initial_state=weights.initial_state), history


class _Tuning:
    """One network on its way; ``best`` is the best candidate so far."""

    def __init__(self, weights: NetworkWeights, arithmetic: Arithmetic, split: Split, seed: int,
                 learning_rate: float) -> None:
        self._arithmetic, self._view, self._high = arithmetic, _VIEWS[arithmetic.weight_scales], learning_rate
        # Its budget is not used here; the recipe brings streams, chunks, clipping and the loss.
        self._recipe = Recipe.model_validate({"epochs": 1, "esr_weight": 1.0, "dc_weight": 0.0, "seed": seed,
                                              "emphasized_esr_weight": _EMPHASIZED_SHARE})
        self._sampler = SegmentSampler(_on_input_grid(split, arithmetic.input), self._recipe, "fine-tuning")
        self._lanes, self._wanted = validation_lanes(split, VALIDATION_LANES, VALIDATION_WARM_UP_SAMPLES)
        keras.utils.set_random_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._model = _model_on_grids(weights, arithmetic)
        self._model.view_matrices(self._view)
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._model.trainable_variables)
        self._loss = EsrLoss(self._recipe, _power(split.train_wet),
                             _power(pre_emphasis(split.train_wet, self._recipe.pre_emphasis)))
        self._update = tf.function(self._update_eagerly)
        self._warm_up = tf.function(self._model.warm_up)
        self._predict = tf.function(lambda dry: self._model(dry))
        self.best = weights

    def run(self, budget: Budget, history: TuningHistory, watch: Watch) -> None:
        """Until the budget is spent; what was found stands in ``history`` and ``best``."""
        self._judge(0.0, history)
        history.esr_start = history.esr_best
        begun, fraction, judged, batches = time.monotonic(), 0.0, 0.0, 0
        while fraction < 1.0:
            watch(fraction, history.esr_best)
            self._train_batch(FINAL_LEARNING_RATE + 0.5 * (self._high - FINAL_LEARNING_RATE)
                              * (1.0 + math.cos(math.pi * fraction)))
            batches += 1
            fraction = min(1.0, batches / budget.batches if budget.batches else
                           (time.monotonic() - begun) / (60.0 * (budget.minutes or 1.0)))
            if fraction - judged >= 1.0 / VALIDATIONS or fraction >= 1.0:
                self._judge(fraction, history)
                judged = fraction

    def _train_batch(self, learning_rate: float) -> None:
        self._optimizer.learning_rate.assign(learning_rate)
        dry, wet = (tf.constant(array[:, :, np.newaxis]) for array in self._sampler.draw(self._rng))
        begin, chunk = self._recipe.warm_up_samples, self._recipe.chunk_samples
        states = self._warm_up(dry[:, :begin], self._model.zero_states(self._recipe.streams))
        for start in range(begin, self._sampler.length, chunk):
            states = self._update(dry[:, start : start + chunk], wet[:, start : start + chunk], states)

    def _update_eagerly(self, dry: tf.Tensor, wet: tf.Tensor, states: States) -> States:
        return gradient_step(self._model, self._optimizer, self._loss, self._recipe.gradient_clip, dry, wet, states)[1]

    def _judge(self, fraction: float, history: TuningHistory) -> None:
        """Play the validation part as the integer file would; keep the network if it is the best so far."""
        found = esr(self._wanted.ravel(), self._answer().ravel())
        history.candidates.append((fraction, found))
        if math.isfinite(found) and (found < history.esr_best or len(history.candidates) == 1):
            history.esr_best = found
            self.best = self._snapped()

    def _answer(self) -> NDArray[np.float64]:
        dry = _snap(self._arithmetic.input, self._lanes)
        wet = self._predict(tf.constant(dry[:, :, np.newaxis], tf.float32)).numpy()[:, VALIDATION_WARM_UP_SAMPLES:, 0]
        dry = dry[:, VALIDATION_WARM_UP_SAMPLES:]
        if not self._model.spec.skip:
            return _snap(self._arithmetic.output, _snap(self._arithmetic.head, wet))
        head = _snap(self._arithmetic.head, wet - dry)
        return _snap(self._arithmetic.output, head + _snap(self._arithmetic.dry, dry))

    def _snapped(self) -> NetworkWeights:
        variables = [np.array(variable) for variable in self._model.weights]
        model = build_model(self._model.spec)
        model.set_weights(snap(variables, self._model.is_matrix, self._view))
        return model.network_weights()


def _model_on_grids(weights: NetworkWeights, arithmetic: Arithmetic) -> PedalModel:
    if weights.spec.kind.has_frame:
        raise TrainingError(f"{weights.spec.label}: is not fine-tuned; networks that stream alone are")
    model = build_model(weights.spec)
    model.assign(weights)
    try:
        model.use_native([coarse_grids(layer) for layer in arithmetic.layers])
    except KernelUnavailableError as reason:
        raise TrainingError(f"fine-tuning runs in compiled C only, and there is none: {reason}; install a C compiler, "
                            "or convert without --finetune") from reason
    return model


def _split(dry: Signal, target: Signal) -> Split:
    boundary = len(dry) - max(1, round(len(dry) * VALIDATION_SHARE))
    split = Split(dry[:boundary], target[:boundary], dry[boundary:], target[boundary:], boundary)
    for name, part in (("first nine tenths", split.train_wet), ("last tenth", split.validation_wet)):
        if part.size == 0 or is_silent(part):
            raise RecordingError(f"fine-tuning: silence in the {name} of its audio; give a take with playing "
                                 "throughout")
    return split


def _on_input_grid(split: Split, grid: Grid | None) -> Split:
    return Split(_snap(grid, split.train_dry).astype(np.float32), split.train_wet, split.validation_dry,
                 split.validation_wet, split.boundary)


def _snap(grid: Grid | CompandedGrid | None, values: NDArray[Any]) -> NDArray[Any]:
    return values if grid is None else grid.snap(values)


def _power(signal: NDArray[Any]) -> float:
    return float(np.mean(np.square(signal, dtype=np.float64)))
