"""How a streaming network plays: its layers' states are carried on from sample to sample."""

from typing import Any

from neuralpedal.train.networks.recurrent_stack import RecurrentStack, States
from neuralpedal.train.networks.wavenet_stack import WaveNetStack

Tensor = Any


class Streaming:
    """Plays a stack sample after sample.

    Attributes:
        samples_at_once: of one track, so that memory stays bounded.
    """

    samples_at_once = 48_000

    def __init__(self, stack: RecurrentStack | WaveNetStack) -> None:
        self._stack = stack

    def zero_states(self, batch: Any) -> States:
        """Zeros for every layer."""
        return self._stack.zero_states(batch)

    def run(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output (B, T, 1) of ``inputs`` (B, T, 1) after ``states``, and the states afterwards."""
        return self._stack.run(inputs, states)

    def warm_up(self, inputs: Tensor, states: States) -> States:
        """The states after ``inputs``."""
        return self._stack.run(inputs, states)[1]

    def one_shot(self, inputs: Tensor, states: States) -> Tensor:
        """The output alone."""
        return self._stack.run(inputs, states)[0]
