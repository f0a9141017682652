"""Our layers are Keras's by another route: same weights, same outputs, same gradients."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.train.networks import FusedLSTM, GruLayer, RnnLayer
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer
from neuralpedal.train.networks.sample_loop import SAMPLES_PER_TURN
from neuralpedal.train.weight_grid import on_grid, snap

TWINS = {FusedLSTM: keras.layers.LSTM, GruLayer: keras.layers.GRU, RnnLayer: keras.layers.SimpleRNN}

kinds = pytest.mark.parametrize("kind", TWINS)
sizes = pytest.mark.parametrize(("units", "inputs", "lanes"),
                                [(1, 1, 1), (16, 1, 1), (16, 1, 2), (7, 5, 1), (32, 16, 4)])


def _twins(kind: type[RecurrentLayer], units: int, inputs: int, lanes: int = 1) -> tuple[Any, RecurrentLayer]:
    keras.utils.set_random_seed(units)
    plain = TWINS[kind](units, return_sequences=True, return_state=True)
    ours = kind(units, lanes=lanes)
    plain.build((None, None, inputs))
    ours.build((None, None, inputs))
    rng = np.random.default_rng(units)
    # Large enough to bend every gate, small enough that a plain tanh network is not chaotic.
    weights = [rng.normal(0, 0.5 / max(1.0, 0.6 * len(weight) ** 0.5), weight.shape).astype(np.float32)
               for weight in plain.get_weights()]
    plain.set_weights(weights)
    ours.set_weights(weights)
    return plain, ours


def _signal(batch: int, samples: int, inputs: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(0, 0.5, (batch, samples, inputs)), tf.float32)


def _state(layer: RecurrentLayer, batch: int) -> list[tf.Tensor]:
    rng = np.random.default_rng(2)
    return [tf.constant(rng.normal(0, 0.3, (batch, layer.units)), tf.float32) for _ in layer.family.state]


@kinds
@sizes
def test_outputs_and_states_equal_keras(kind: type[RecurrentLayer], units: int, inputs: int, lanes: int) -> None:
    plain, layer = _twins(kind, units, inputs, lanes)
    x, state = _signal(4, 50, inputs), _state(layer, 4)
    for ours, theirs in zip(layer.run(x, tuple(state)), plain(x, initial_state=state), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("kind", [GruLayer, RnnLayer])
@pytest.mark.parametrize("samples", [1, SAMPLES_PER_TURN - 1, SAMPLES_PER_TURN, SAMPLES_PER_TURN + 1])
def test_turns_of_several_samples_do_not_show(kind: type[RecurrentLayer], samples: int) -> None:
    plain, layer = _twins(kind, 6, 1)
    x, state = _signal(2, samples, 1), _state(layer, 2)
    for ours, theirs in zip(layer.run(x, tuple(state)), plain(x, initial_state=state), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@kinds
@sizes
@pytest.mark.parametrize("grid", [False, True], ids=["free", "grid"])
def test_gradients_equal_keras(kind: type[RecurrentLayer], units: int, inputs: int, lanes: int, grid: bool) -> None:
    plain, layer = _twins(kind, units, inputs, lanes)
    if grid:
        layer.matrix_view = on_grid
        # The gradient passes through the rounding: it is that of a layer whose matrices are rounded already.
        plain.set_weights(snap(plain.get_weights(), [True, True, False]))
    x, target = _signal(4, 61, inputs), _signal(4, 61, units)

    def gradients(layer: keras.layers.Layer, run: Any) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, *states = run(x)
            loss = tf.reduce_sum(tf.square(outputs - target)) + tf.add_n([tf.reduce_sum(state) for state in states])
        return tape.gradient(loss, [x, *layer.trainable_variables])

    for ours, theirs in zip(gradients(layer, layer.run), gradients(plain, plain), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=4e-6 * np.max(np.abs(theirs)))


@kinds
def test_new_layers_begin_as_kerass_do(kind: type[RecurrentLayer]) -> None:
    plain, layer = TWINS[kind](6), kind(6)
    plain.build((None, None, 1))
    layer.build((None, None, 1))
    assert [weight.shape for weight in layer.weights] == [weight.shape for weight in plain.weights]
    np.testing.assert_array_equal(layer.bias, plain.cell.bias)
    recurrent = np.array(layer.recurrent_kernel)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-5)
    assert 0 < np.max(np.abs(layer.kernel)) <= np.sqrt(6 / (1 + layer.kernel.shape[1]))


@kinds
def test_a_head_inside_equals_one_outside(kind: type[RecurrentLayer]) -> None:
    _, layer = _twins(kind, 5, 1)
    x, state, head = _signal(3, 20, 1), _state(layer, 3), tf.ones((5, 1)) * 0.3
    hidden, *states = layer.run(x, tuple(state))
    product, *states_with_head = layer.run_with_head(x, tuple(state), head)
    np.testing.assert_allclose(product, hidden @ head, atol=1e-6)
    for ours, theirs in zip(states_with_head, states, strict=True):
        np.testing.assert_array_equal(ours, theirs)
