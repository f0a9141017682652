"""A recurrence over samples for layers that TensorFlow has no whole-sequence op for.

What a loop costs is its turns, not its arithmetic, so each does eight samples (``keras.layers.GRU`` does one), and a
batch is never cut into lanes: two loops side by side take twice the turns. It is a compiled function, so that it also
runs in one call where nothing around it was compiled.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import tensorflow as tf

Tensor = Any
Step = Callable[..., Tensor]

SAMPLES_PER_TURN = 8


def over_samples(step: Step, projected: Tensor, hidden: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
    """Every hidden state (B, T, H) and the last one (B, H).

    Args:
        step: from (one sample's projection, hidden state, *weights) to the next hidden state; a function of a module,
            because a new one each time would be compiled each time.
        projected: (B, T, G·H), the inputs' part of the gates, T at least 1. hidden: (B, H), the first state.
    """
    result: tuple[Tensor, Tensor] = _compiled(step, hidden.shape[1])(projected, hidden, *weights)
    return result


@cache
def _compiled(step: Step, hidden_size: int) -> Callable[..., Any]:
    """A function of its own for every size: TensorFlow then generalises over B and T alone."""
    return tf.function(partial(_over_samples, step), reduce_retracing=True)


def _over_samples(step: Step, projected: Tensor, hidden: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
    samples = tf.shape(projected)[1]
    # Silence fills up the last turn; nothing reads what it gives.
    padded = tf.pad(projected, ((0, 0), (0, -samples % SAMPLES_PER_TURN), (0, 0)))
    time_major = tf.transpose(padded, (1, 0, 2))
    turns = tf.reshape(time_major, (-1, SAMPLES_PER_TURN, tf.shape(projected)[0], projected.shape[2]))

    def turn(previous: Tensor, inputs: Tensor) -> Tensor:
        state, states = previous[-1], []
        for x in tf.unstack(inputs):
            state = step(x, state, *weights)
            states.append(state)
        return tf.stack(states)

    states = tf.scan(turn, turns, tf.repeat(hidden[tf.newaxis], SAMPLES_PER_TURN, axis=0))
    flat = tf.reshape(states, (-1, tf.shape(hidden)[0], hidden.shape[1]))[:samples]
    return tf.transpose(flat, (1, 0, 2)), flat[-1]
