"""The training loop: truncated back-propagation through time over many streams, best network kept.

Each batch draws segments, warms the state up without gradient, then makes one update per chunk with the state carried
on. The learning rate follows half a cosine over the budget, which may be epochs or wall time.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.errors import TrainingError
from neuralpedal.contract.metrics import esr, pre_emphasis
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.train.checkpoint import TrainingState
from neuralpedal.train.dataset import SegmentSampler, Split, validation_lanes
from neuralpedal.train.gradient_step import gradient_step
from neuralpedal.train.loss import EsrLoss
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.networks.network_model import NetworkModel
from neuralpedal.train.networks.recurrent_stack import States
from neuralpedal.train.recipe import Recipe
from neuralpedal.train.weight_grid import on_grid, snap

VALIDATION_LANES = 32
VALIDATION_WARM_UP_SAMPLES = 4096
SAMPLES_BETWEEN_VALIDATIONS = 12_000_000
"""Short takes have short epochs: validating after each would cost more than training."""
SECONDS_BETWEEN_CHECKPOINTS = 60.0
"""What a power cut may cost: an epoch of long frames takes minutes."""
DERAILED = 5.0
"""A validation this many times worse than the best so far: steps were too large, and units may be stuck at ±1 for good.
A training that goes well stays within a factor of three."""


@dataclass(frozen=True)
class Progress:
    """What a watcher is told after every batch.

    Attributes:
        fraction: of the budget, 0…1. epoch: epochs done. loss: of the last chunk. esr, best_esr: of the validation
            part, infinite before the first validation. samples_per_s: trained samples per second of this session.
    """

    fraction: float
    epoch: int
    loss: float
    esr: float
    best_esr: float
    samples_per_s: float


Watcher = Callable[[Progress], None]
Clock = Callable[[], float]
"""Seconds since any moment: what a budget in minutes is counted by."""


class Trainer:
    """Trains one network on one split.

    Args:
        recipe: with a budget.
        spec: the network.
        split: the data.
        source: name of the recording for messages.
        state: what to go on from, or None for a new training.
        clock: of the budget; wall time unless trainings are compared on a machine that does other things as well.

    Attributes:
        improved: the last validation gave a new best network.
        kernel: what computes the recurrent layers, and why not the compiled one.
    """

    def __init__(self, recipe: Recipe, spec: NetworkSpec | WaveNetSpec, split: Split, source: str,
                 state: TrainingState | None = None, clock: Clock = time.monotonic) -> None:
        self.recipe = recipe
        self._clock = clock
        self._source = source
        self._sampler = SegmentSampler(split, recipe, source)
        self._before = validation_warm_up(spec)
        self._validation_dry, self._validation_wet = validation_lanes(split, VALIDATION_LANES, self._before)
        self._epochs_between_validations = max(1, round(SAMPLES_BETWEEN_VALIDATIONS / len(split.train_dry)))
        keras.utils.set_random_seed(recipe.seed)
        self.model = build_model(spec, lanes=2 if recipe.streams % 2 == 0 else 1)
        self.kernel = _choose_kernel(self.model)
        self._optimizer = keras.optimizers.Adam(recipe.learning_rate)
        self._optimizer.build(self.model.trainable_variables)
        self._rng = np.random.default_rng(recipe.seed)
        self.state = state or TrainingState()
        if state:
            self._restore(state)
        self._loss = EsrLoss(recipe, _power(split.train_wet),
                             _power(pre_emphasis(split.train_wet, recipe.pre_emphasis)))
        self._on_grid = False
        self.improved = False
        self._compile()
        self._last_esr = self.state.history[-1]["esr_validation"] if self.state.history else math.inf

    def run(self, watch: Watcher, checkpoint: Callable[[TrainingState], None]) -> None:
        """Train until the budget is spent; ``checkpoint`` is called to save, after validations and once a minute.

        KeyboardInterrupt passes through. Raised by ``watch`` it loses nothing: ``self.state`` is then where training
        stands. Raised elsewhere, it is where the last checkpoint was. It holds a network even before any validation.
        """
        try:
            self._run(watch, checkpoint)
        except KeyboardInterrupt:
            if not self.state.best_weights:
                self._validate(loss=0.0, fraction=0.0)
            raise

    def _run(self, watch: Watcher, checkpoint: Callable[[TrainingState], None]) -> None:
        begun, before, trained = self._clock(), self.state.elapsed_s, 0
        batch_samples = self.recipe.streams * self.recipe.chunks_per_segment * self.recipe.chunk_samples
        saved = begun_on_the_wall = time.monotonic()
        fraction = self._fraction(before)
        while fraction < 1.0:
            self._choose_grid(fraction)
            loss = self._train_batch(self._learning_rate(fraction))
            self._count_batch()
            trained += batch_samples
            try:
                watch(Progress(fraction, self.state.epoch, loss, self._last_esr, self.state.best_esr,
                               trained / (time.monotonic() - begun_on_the_wall)))
            except KeyboardInterrupt:
                self._keep(before + self._clock() - begun)
                if self._is_time_to_validate():
                    self._validate(loss, fraction)
                raise
            elapsed_s = before + self._clock() - begun
            trained_at, fraction = fraction, self._fraction(elapsed_s)
            if fraction >= 1.0 or self._is_time_to_validate():
                self.state.elapsed_s = elapsed_s
                self._validate(loss, trained_at)
            elif time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                self.improved = False
                self._keep(elapsed_s)
            else:
                continue
            if self.state.weights:
                checkpoint(self.state)
            saved = time.monotonic()

    def _count_batch(self) -> None:
        self.state.batch += 1
        if self.state.batch == self._sampler.batches_per_epoch:
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    def _is_time_to_validate(self) -> bool:
        return self.state.batch == 0 and self.state.epoch % self._epochs_between_validations == 0

    def _keep(self, elapsed_s: float) -> None:
        """Note where training stands, between two batches."""
        state = self.state
        state.elapsed_s = elapsed_s
        state.weights = [np.array(variable) for variable in self.model.weights]
        state.optimizer = [np.array(variable) for variable in self._optimizer.variables]
        state.rng = dict(self._rng.bit_generator.state)

    def best_model(self) -> NetworkModel:
        """A network of its own with the weights of the best validation.

        Raises:
            TrainingError: no validation gave a finite result.
        """
        if not self.state.best_weights:
            raise TrainingError(f"{self._source}: training never gave a finite ESR; lower learning_rate in the recipe")
        best = build_model(self.model.spec)
        best.set_weights(self.state.best_weights)
        return best

    def _compile(self) -> None:
        self._update = tf.function(self._update_eagerly, reduce_retracing=True)
        self._warm_up = tf.function(lambda dry: self.model.warm_up(dry, self.model.zero_states(self.recipe.streams)))
        self._predict = tf.function(lambda dry: self.model(dry))

    def _choose_grid(self, fraction: float) -> None:
        """Free weights at first, weights on the int8 grid in the last part of the budget."""
        wanted = fraction >= self.recipe.int8_weights_from and self.recipe.int8_weights_from < 1.0
        if wanted != self._on_grid:
            self._on_grid = wanted
            self.model.view_matrices(on_grid if wanted else tf.convert_to_tensor)
            self._compile()

    def _fraction(self, elapsed_s: float) -> float:
        """How much of the budget is spent, 0…1."""
        if self.recipe.minutes:
            return min(1.0, elapsed_s / (60.0 * self.recipe.minutes))
        assert self.recipe.epochs
        return min(1.0, (self.state.epoch + self.state.batch / self._sampler.batches_per_epoch) / self.recipe.epochs)

    def _learning_rate(self, fraction: float) -> float:
        high, low = self.recipe.learning_rate, self.recipe.final_learning_rate
        return self.state.learning_rate_scale * (low + 0.5 * (high - low) * (1.0 + math.cos(math.pi * fraction)))

    def _train_batch(self, learning_rate: float) -> float:
        """One segment per stream, one update per chunk; the last chunk's loss."""
        self._optimizer.learning_rate.assign(learning_rate)
        dry, wet = (tf.constant(array[:, :, np.newaxis]) for array in self._sampler.draw(self._rng))
        begin, chunk = self.recipe.warm_up_samples, self.recipe.chunk_samples
        states = self._warm_up(dry[:, :begin]) if begin else self.model.zero_states(self.recipe.streams)
        for start in range(begin, self._sampler.length, chunk):
            step_loss, states = self._update(dry[:, start : start + chunk], wet[:, start : start + chunk], states)
        loss = float(step_loss)
        if not math.isfinite(loss):
            self._roll_back()
        return loss

    def _update_eagerly(self, dry: tf.Tensor, wet: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        return gradient_step(self.model, self._optimizer, self._loss, self.recipe.gradient_clip, dry, wet, states)

    def _roll_back(self) -> None:
        """Go back to the last good weights at half the rate, onwards through other segments."""
        self.state.learning_rate_scale *= 0.5
        if self.state.good_weights:
            self._load(self.state.good_weights, self.state.good_optimizer)
        else:
            keras.utils.set_random_seed(self.recipe.seed)
            fresh = build_model(self.model.spec)
            self._load([np.array(w) for w in fresh.weights],
                       [np.zeros(v.shape, v.dtype) for v in self._optimizer.variables])
        self._keep(self.state.elapsed_s)

    def _validate(self, loss: float, fraction: float) -> None:
        dry, state = tf.constant(self._validation_dry[:, :, np.newaxis]), self.state
        prediction = self._predict(dry).numpy()[:, self._before:, 0]
        self._last_esr = (esr(self._validation_wet.ravel(), prediction.ravel())
                          if np.all(np.isfinite(prediction)) else math.inf)
        if not math.isfinite(self._last_esr) or self._is_derailed():
            self.improved = False
            self._roll_back()
            return
        self._keep(state.elapsed_s)
        state.good_weights, state.good_optimizer = state.weights, state.optimizer
        # The first network on the grid replaces the best free one, whose int8 form would be worse than it looks.
        if self._on_grid != state.on_grid or self._last_esr < state.best_esr:
            state.best_esr, state.on_grid = self._last_esr, self._on_grid
            state.best_weights = snap(state.weights, self.model.is_matrix) if self._on_grid else state.weights
            self.improved = True
        else:
            self.improved = False
        state.history.append({"epoch": state.epoch, "elapsed_s": round(state.elapsed_s, 3), "loss": loss,
                              "learning_rate": self._learning_rate(fraction), "int8_weights": self._on_grid,
                              "esr_validation": self._last_esr})

    def _is_derailed(self) -> bool:
        # The step onto the grid makes any network worse, and is no mistake.
        return self._on_grid == self.state.on_grid and self._last_esr > DERAILED * self.state.best_esr

    def _restore(self, state: TrainingState) -> None:
        if state.best_weights and not state.good_weights:
            # Checkpoints were written after validations only, once, and held no such lists.
            state.good_weights, state.good_optimizer = state.weights, state.optimizer
        self._load(state.weights, state.optimizer)
        self._rng.bit_generator.state = state.rng

    def _load(self, weights: list[np.ndarray], optimizer: list[np.ndarray]) -> None:
        for variable, value in zip([*self.model.weights, *self._optimizer.variables], [*weights, *optimizer],
                                   strict=True):
            variable.assign(value)


def validation_warm_up(spec: NetworkSpec | WaveNetSpec) -> int:
    """Samples that are played before what is judged: no fewer than a network looks back."""
    seen = spec.receptive_field - 1 if isinstance(spec, WaveNetSpec) else 0
    return max(VALIDATION_WARM_UP_SAMPLES, seen)


def _choose_kernel(model: NetworkModel) -> str:
    """The compiled kernel where there is a compiler, TensorFlow's op elsewhere; which one, for the record."""
    try:
        model.use_native()
    except KernelUnavailableError as reason:
        return f"tensorflow ({reason})"
    return "native"


def _power(signal: np.ndarray) -> float:
    return float(np.mean(np.square(signal, dtype=np.float64)))
