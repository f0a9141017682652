"""Lets ``convert`` say how far joint rounding has come, and Ctrl-C end it."""

from collections.abc import Callable

from neuralpedal.cli.console import note
from neuralpedal.cli.interruption import interruptible
from neuralpedal.convert.rounding_choice import better_rounded
from neuralpedal.convert.sensitivity import Weights
from neuralpedal.convert.source import Signal

GRIDS = {"channel": "output channel", "gate": "gate"}


class WeightRounder:
    """A :data:`neuralpedal.convert.source.Rounder`; Ctrl-C ends one rounding early and keeps its best.

    Args:
        told: is given a line about every batch.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def __call__(self, weights: Weights, scales: str, calibration: Signal, validation: Signal, /) -> Weights:
        """See :func:`neuralpedal.convert.rounding_choice.better_rounded`."""
        with interruptible() as interruption:
            def watch(fraction: float) -> None:
                self._told(f"rounding weights together, a scale per {GRIDS[scales]}, {fraction:.0%}")
                interruption.check()

            rounded = better_rounded(weights, scales, calibration, validation, watch)
        if interruption.asked:
            note(f"rounding with a scale per {GRIDS[scales]} stopped; the best so far is taken")
        return rounded
