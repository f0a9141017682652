"""How a network with a frame plays: every output sample answers the last F inputs, from zero state.

What it remembers between calls is audio, F − 1 samples of it. Every sample costs F steps of the recurrent layers: the
frames of a stretch of audio are one batch, and long stretches are cut, because all hidden states of a batch are in
memory at once.
"""

from typing import Any

import tensorflow as tf

from neuralpedal.train.networks.recurrent_stack import RecurrentStack, States

Tensor = Any

HIDDEN_VALUES_AT_ONCE = 2**20
"""Frames × F × H in one batch; a few megabytes for every array that an op keeps per step."""


class Framing:
    """Plays a stack frame by frame.

    Args:
        stack: see RecurrentStack. frame_samples: F. hidden_size: H.

    Attributes:
        samples_at_once: of one track, so that memory stays bounded.
    """

    def __init__(self, stack: RecurrentStack, frame_samples: int, hidden_size: int) -> None:
        self._stack = stack
        self._frame = frame_samples
        self.samples_at_once = max(1, HIDDEN_VALUES_AT_ONCE // (frame_samples * hidden_size))

    def zero_states(self, batch: Any) -> States:
        """Silence before the first sample: one array (batch, F − 1), oldest sample first."""
        return [(tf.zeros((batch, self._frame - 1)),)]

    def run(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output (B, T, 1) of ``inputs`` (B, T, 1) after ``states``, and the states afterwards; B·T frames."""
        track = self._track(inputs, states)
        return self._answers(track)[:, :, tf.newaxis], self._tail(track)

    def warm_up(self, inputs: Tensor, states: States) -> States:
        """The states after ``inputs``: nothing needs to be computed."""
        return self._tail(self._track(inputs, states))

    def one_shot(self, inputs: Tensor, states: States) -> Tensor:
        """The output alone, of any length: stretch after stretch."""
        batch, samples = tf.shape(inputs)[0], tf.shape(inputs)[1]
        stretch = tf.maximum(1, self.samples_at_once // batch)
        track = tf.pad(self._track(inputs, states), ((0, 0), (0, stretch)))
        starts = tf.range(0, samples, stretch)
        parts = tf.map_fn(lambda start: self._answers(track[:, start : start + stretch + self._frame - 1]), starts,
                          fn_output_signature=tf.float32, parallel_iterations=1)
        joined = tf.reshape(tf.transpose(parts, (1, 0, 2)), (batch, -1, 1))
        return joined[:, :samples]

    def _track(self, inputs: Tensor, states: States) -> Tensor:
        return tf.concat([states[0][0], inputs[:, :, 0]], axis=1)

    def _tail(self, track: Tensor) -> States:
        return [(track[:, -(self._frame - 1) :],)]

    def _answers(self, track: Tensor) -> Tensor:
        """The answer to every frame of ``track`` (B, T + F − 1): (B, T)."""
        frames = tf.signal.frame(track, self._frame, 1, axis=1)
        answers = self._stack.last_output(tf.reshape(frames, (-1, self._frame, 1)))
        return tf.reshape(answers, tf.shape(frames)[:2])
