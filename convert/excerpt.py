"""Audio that a network answers in many lanes side by side, for sensitivities."""

from dataclasses import dataclass

from neuralpedal.contract.weights import Array
from neuralpedal.convert.differentiable_cells import State

States = list[State]
"""Of every recurrent layer: arrays (lanes, H), the hidden state first."""


@dataclass(frozen=True)
class Excerpt:
    """One.

    Attributes:
        dry: (lanes, T) float32. states: at its beginning.
        answers: the samples of each lane whose answers count: all T, the last one of a window, or those behind a lead.
    """

    dry: Array
    states: States
    answers: slice
